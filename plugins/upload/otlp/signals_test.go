package otlp

import (
	"testing"

	"github.com/stretchr/testify/require"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func someLogs() proto.Message {
	records := []*logs.LogRecord{{SeverityText: "INFO"}, {}}
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{
		{ScopeLogs: []*logs.ScopeLogs{{LogRecords: records}, {LogRecords: records[:1]}}}, {},
	}}
}

// someMetrics has 8 data points, of every kind of metric.
func someMetrics() proto.Message {
	numbers := []*metrics.NumberDataPoint{{TimeUnixNano: 1}, {TimeUnixNano: 2}}
	all := []*metrics.Metric{
		{Name: "a", Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: numbers}}},
		{Name: "b", Data: &metrics.Metric_Sum{Sum: &metrics.Sum{DataPoints: numbers}}},
		{Name: "c", Data: &metrics.Metric_Histogram{Histogram: &metrics.Histogram{DataPoints: []*metrics.HistogramDataPoint{{Count: 1}}}}},
		{Name: "d", Data: &metrics.Metric_ExponentialHistogram{ExponentialHistogram: &metrics.ExponentialHistogram{
			DataPoints: []*metrics.ExponentialHistogramDataPoint{{Count: 1}},
		}}},
		{Name: "e", Data: &metrics.Metric_Summary{Summary: &metrics.Summary{DataPoints: []*metrics.SummaryDataPoint{{Count: 1}, {}}}}},
	}
	return &metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: all}}}}}
}

func TestRecordsOfOtherSignalsAreCounted(t *testing.T) {
	for _, test := range []struct {
		name   string
		signal Signal
		sent   proto.Message
		count  int
	}{
		{"logs", Logs, someLogs(), 3},
		{"metrics", Metrics, someMetrics(), 8},
		{"logs of nothing", Logs, &logs.LogsData{}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := proto.Marshal(test.sent)
			require.NoError(t, err)
			count, err := test.signal.Count(Protobuf, raw, 128)
			require.NoError(t, err)
			require.Equal(t, test.count, count)
			asJSON, err := protojson.Marshal(test.sent)
			require.NoError(t, err)
			count, err = test.signal.Count(JSON, asJSON, 128)
			require.NoError(t, err)
			require.Equal(t, test.count, count)
		})
	}
}

func TestWhatIsNoRequestOfASignalIsToldWhere(t *testing.T) {
	for _, test := range []struct {
		name     string
		encoding Encoding
		body     string
		says     string
	}{
		{"a list", JSON, `[]`, "an object with resourceLogs is expected"},
		{"a JSON cut off", JSON, `{"resourceLogs":[{"scopeLogs"`, "byte 29"},
		{"a protobuf cut off", Protobuf, "\x0a\x7f", "byte 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Logs.Count(test.encoding, []byte(test.body), 128)
			require.ErrorContains(t, err, test.says)
		})
	}
}

// What must hold: nothing panics, and no more is counted than there are bytes.
func FuzzSignals(f *testing.F) {
	for _, message := range []proto.Message{someLogs(), someMetrics()} {
		raw, err := proto.Marshal(message)
		require.NoError(f, err)
		f.Add(raw)
		raw, err = protojson.Marshal(message)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, signal := range []Signal{Logs, Metrics} {
			for _, encoding := range []Encoding{Protobuf, JSON} {
				count, _ := signal.Count(encoding, body, 128)
				require.LessOrEqual(t, count, len(body))
			}
		}
	})
}
