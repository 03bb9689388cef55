package collector

import (
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// doorMetrics counts once per request: a request is the door's batch.
type doorMetrics struct {
	uploads       map[string]func(int64)
	bytes         *service.MetricCounter
	rejected      *service.MetricCounter
	reloads       *service.MetricCounter
	brokenFile    *service.MetricGauge
	latency       *service.MetricTimer
	requests      *service.MetricGauge
	inFlightBytes *service.MetricGauge

	limit, working, waiting *service.MetricGauge

	open, held atomic.Int64
}

func newDoorMetrics(m *service.Metrics) *doorMetrics {
	uploads := m.NewCounter("testengine_uploads_total", "result")
	d := &doorMetrics{
		uploads:       make(map[string]func(int64), len(results)),
		bytes:         m.NewCounter("testengine_upload_bytes_total"),
		rejected:      m.NewCounter("testengine_otlp_rejected_total", "signal"),
		reloads:       m.NewCounter("testengine_tenant_reloads_total", "result"),
		brokenFile:    m.NewGauge("testengine_suites_file_broken"),
		latency:       m.NewTimer("testengine_upload_latency_ns"),
		requests:      m.NewGauge("testengine_uploads_in_flight"),
		inFlightBytes: m.NewGauge("testengine_upload_in_flight_bytes"),
		limit:         m.NewGauge("testengine_admission_limit"),
		working:       m.NewGauge("testengine_admission_in_flight"),
		waiting:       m.NewGauge("testengine_admission_waiting"),
	}
	for _, result := range results {
		d.uploads[result] = func(n int64) { uploads.Incr(n, result) }
	}
	return d
}

func (d *doorMetrics) begin() { d.requests.Set(d.open.Add(1)) }

func (d *doorMetrics) hold(bytes int64) { d.inFlightBytes.Set(d.held.Add(bytes)) }

func (d *doorMetrics) end(result string, bytes int, took time.Duration) {
	d.requests.Set(d.open.Add(-1))
	d.uploads[result](1)
	if result == resultAccepted {
		d.bytes.Incr(int64(bytes))
		d.latency.Timing(took.Nanoseconds())
	}
}

// measure shows how admission stands.
func (d *door) measure() {
	d.metrics.limit.Set(int64(d.gate.limiter.Limit()))
	d.metrics.working.Set(int64(d.gate.limiter.InFlight()))
	d.metrics.waiting.Set(int64(d.gate.limiter.Waiting()))
}
