package collector

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// An exporter that is given one address for everything sends its logs and metrics
// here too. What it must read out of the answer is that it need not come again.
func TestLogsAndMetricsAreRejectedInOTLPsOwnTerms(t *testing.T) {
	h := openHouse(t, "", "max_decoded: 50000B\n")
	const (
		twoLogs    = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{"body":{"stringValue":"x"}}]}]}]}`
		onePoint   = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"dataPoints":[{"asInt":"1"}]}}]}]}]}`
		inProtobuf = "application/x-protobuf"
		asJSON     = "application/json"
	)
	authorized := "Bearer " + writeToken
	for _, test := range []struct {
		name, method, path, authorization, contentType, body string
		more                                                 []string
		status                                               int
		says                                                 string
	}{
		{"logs", "POST", "/v1/logs", authorized, asJSON, twoLogs, nil, 200, `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"logs are not kept here`},
		{"logs, packed", "POST", "/v1/logs", authorized, asJSON, string(packed([]byte(twoLogs))), []string{"Content-Encoding", "gzip"}, 200, "OTEL_LOGS_EXPORTER=none"},
		{"metrics", "POST", "/v1/metrics", authorized, asJSON, onePoint, nil, 200, `"rejectedDataPoints":"1"`},
		{"no record at all", "POST", "/v1/metrics", authorized, asJSON, "{}", nil, 200, "{}\n"},
		{"no token", "POST", "/v1/logs", "", asJSON, twoLogs, nil, 401, "no token was sent"},
		{"a token that may only read", "POST", "/v1/logs", "Bearer " + readToken, asJSON, twoLogs, nil, 403, "scope write"},
		{"no request", "POST", "/v1/logs", authorized, asJSON, twoLogs[:40], nil, 400, "broken at byte 40"},
		{"another content type", "POST", "/v1/logs", authorized, "text/plain", twoLogs, nil, 415, inProtobuf},
		{"a bomb", "POST", "/v1/metrics", authorized, inProtobuf, string(packed(make([]byte, 50_001))), []string{"Content-Encoding", "gzip"}, 413, "50000 bytes"},
		{"GET", "GET", "/v1/logs", authorized, asJSON, "", nil, 405, "logs are sent with POST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := append([]string{"Content-Type", test.contentType}, test.more...)
			if test.authorization != "" {
				headers = append(headers, "Authorization", test.authorization)
			}
			answer := h.request(t, test.method, test.path, bytes.NewReader([]byte(test.body)), headers...)
			require.Equal(t, test.status, answer.status, answer.body)
			require.Contains(t, answer.body, test.says)
		})
	}
	require.Empty(t, h.messages(), "nothing of it reaches the stream")
}

func TestProtobufIsAnsweredInProtobuf(t *testing.T) {
	h := openHouse(t, "", "")
	for _, test := range []struct {
		name, path, body, says string
		rejected               uint64
	}{
		{"two log records of a scope", "/v1/logs", "\x0a\x06\x12\x04\x12\x00\x12\x00", "OTEL_LOGS_EXPORTER=none", 2},
		{"a gauge with one point", "/v1/metrics", "\x0a\x08\x12\x06\x12\x04\x2a\x02\x0a\x00", "OTEL_METRICS_EXPORTER=none", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := h.request(t, http.MethodPost, test.path, bytes.NewReader([]byte(test.body)),
				"Authorization", "Bearer "+writeToken, "Content-Type", "application/x-protobuf")
			require.Equal(t, "application/x-protobuf", answer.header.Get("Content-Type"))
			// partial_success is field 1; its fields are the number and the message, for every signal.
			number, _, n := protowire.ConsumeTag([]byte(answer.body))
			require.EqualValues(t, 1, number)
			partial, _ := protowire.ConsumeBytes([]byte(answer.body)[n:])
			number, _, n = protowire.ConsumeTag(partial)
			require.EqualValues(t, 1, number)
			rejected, size := protowire.ConsumeVarint(partial[n:])
			require.Equal(t, test.rejected, rejected)
			number, _, tag := protowire.ConsumeTag(partial[n+size:])
			require.EqualValues(t, 2, number)
			why, _ := protowire.ConsumeString(partial[n+size+tag:])
			require.Contains(t, why, test.says)
		})
	}
}
