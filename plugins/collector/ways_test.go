package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// The requests of real exporters, over the wire: what the log holds afterwards
// is decoded as the pipeline does.
func TestRecordedExportersAreAccepted(t *testing.T) {
	tests := []struct {
		name     string
		accepted int
		rejected int
	}{
		{"otlp-js-json", 2, 0},
		{"otlp-js-json-gzip", 2, 0},
		{"otlp-js-proto", 2, 0},
		{"otlp-js-proto-gzip", 2, 0},
		{"otlp-py-proto-gzip", 2, 0},
		{"otlp-py-batch512", 512, 0},
		{"otlp-pytest-opentelemetry", 0, 11},
	}
	h := openHouse(t, "", "")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(recordedFolder, test.name+".json"))
			require.NoError(t, err)
			var request recorded
			require.NoError(t, json.Unmarshal(raw, &request))
			sent, err := os.ReadFile(filepath.Join(recordedFolder, test.name+".body"))
			require.NoError(t, err)
			answer := h.request(t, request.Method, request.Path, bytes.NewReader(sent), h.headers(t, request)...)
			require.Equal(t, http.StatusOK, answer.status, answer.body)
			asJSON := strings.Contains(test.name, "json")
			require.Equal(t, map[bool]string{true: "application/json", false: "application/x-protobuf"}[asJSON], answer.header.Get("Content-Type"))
			switch {
			case test.rejected > 0:
				require.Contains(t, answer.body, "no test.execution")
			case asJSON:
				require.JSONEq(t, `{}`, answer.body)
			default:
				require.Empty(t, answer.body)
			}
			messages := h.messages()
			kept := messages[len(messages)-1]
			taken, err := kept.AsBytes()
			require.NoError(t, err)
			require.Equal(t, sent, taken, "bodies are kept as sent")
			encoding, known := unpack.Named(message.Text(kept, testengine.MetaContentEncoding))
			require.True(t, known)
			plain, err := unpack.Append(encoding, nil, taken, 1<<20)
			require.NoError(t, err)
			result := formats.Decode(assemble.Facts{UploadID: "up_1", Org: "acme", Suite: "api"},
				message.Text(kept, testengine.MetaContentType), plain, assemble.DefaultLimits())
			require.Equal(t, []int{test.accepted, test.rejected}, []int{result.Report.Accepted, result.Report.Rejected})
			require.Equal(t, "b-91", result.Report.RunKey)
		})
	}
}

const oneSpan = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"c0e09beb5289bd437f3873dadf43b9e5","name":"test.execution",
	"attributes":[{"key":"test.case.name","value":{"stringValue":"a"}}]},{"traceId":"d0","name":"GET /"}]}]}]}`

func TestTracesAreAnsweredAsOTLPWantsIt(t *testing.T) {
	h := openHouse(t, "", "retry_after: 2s\nmax_decoded: 50000B\n")
	authorized := "Bearer " + writeToken
	tests := []struct {
		name                       string
		authorization, contentType string
		body                       []byte
		more                       []string
		status                     int
		says                       string
	}{
		{"some spans are rejected", authorized, "application/json", []byte(oneSpan), nil, 200, `"rejectedSpans":"1"`},
		{"nothing is in it", authorized, "application/x-protobuf", nil, nil, 200, ""},
		{"no token", "", "application/json", []byte(oneSpan), nil, 401, "no token was sent"},
		{"a broken JSON", authorized, "application/json; charset=utf-8", []byte(oneSpan)[:50], nil, 400, "the JSON is broken at byte 50"},
		{"a broken protobuf", authorized, "application/x-protobuf", []byte("\x0a\x7f"), nil, 400, "the protobuf is broken at byte 2"},
		{"an upload", authorized, "multipart/form-data; boundary=x", []byte("x"), nil, 415, "application/x-protobuf"},
		{"an encoding nobody knows", authorized, "application/json", []byte(oneSpan), []string{"Content-Encoding", "br"}, 415, "Content-Encoding"},
		{"a bomb", authorized, "application/json", packed(make([]byte, 50_001)), []string{"Content-Encoding", "gzip"}, 413, "50000 bytes"},
		{"a run key with a space", authorized, "application/json", []byte(oneSpan), []string{"Buildkite-Tests-Run-Key", "b 91"}, 400, "Buildkite-Tests-Run-Key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			headers := append([]string{"Content-Type", test.contentType}, test.more...)
			if test.authorization != "" {
				headers = append(headers, "Authorization", test.authorization)
			}
			for _, reader := range []any{bytes.NewReader(test.body), struct{ *bytes.Reader }{bytes.NewReader(test.body)}} {
				answer := h.request(t, http.MethodPost, "/v1/traces", reader.(interface{ Read([]byte) (int, error) }), headers...)
				require.Equal(t, test.status, answer.status, answer.body)
				require.Contains(t, answer.body, test.says)
			}
		})
	}
	t.Run("the stream refuses", func(t *testing.T) {
		h.mu.Lock()
		h.sink = func(service.MessageBatch) error { return errors.New("disk full") }
		h.mu.Unlock()
		answer := h.request(t, http.MethodPost, "/v1/traces", strings.NewReader(oneSpan), "Authorization", authorized, "Content-Type", "application/json")
		require.Equal(t, 503, answer.status, "a client of OTLP sends again on 503, and loses on 500")
		require.Equal(t, "2", answer.header.Get("Retry-After"))
	})
	t.Run("another method", func(t *testing.T) {
		require.Equal(t, 405, h.request(t, http.MethodGet, "/v1/traces", nil).status)
	})
}

// Swift and JavaScript read the same variable, one with and one without the last
// part of the path: whatever is set, both arrive.
func TestPathsForgiveWhatCollectorsMixUp(t *testing.T) {
	h := openHouse(t, "base_url: https://te.example/\n", "")
	for _, path := range []string{"/v1/uploads", "/v1/uploads/", "/v1/uploads/uploads", "/v1/", "/v1", "/v1/uploads?x=1"} {
		answer := h.request(t, http.MethodPost, path, bytes.NewReader(body(oneExecution)), "Authorization", "Token "+writeToken, "Content-Type", "application/json")
		require.Equal(t, 202, answer.status, path)
	}
	require.Equal(t, 404, h.request(t, http.MethodPost, "/v1/other", bytes.NewReader(body("")), "Authorization", "Token "+writeToken).status)
	answer := h.request(t, http.MethodGet, "/v1/uploads/metadata", nil, "Authorization", `Token token="`+writeToken+`"`)
	require.Equal(t, 200, answer.status)
	require.JSONEq(t, `{"suite_url":"https://te.example/acme/suites/api"}`, answer.body)
	require.Equal(t, 401, h.request(t, http.MethodGet, "/v1/uploads/metadata", nil).status)
}

func TestTestownersGoThroughTheLog(t *testing.T) {
	h := openHouse(t, "", "")
	const formType = "multipart/form-data; boundary=" + boundary
	tests := []struct {
		name, authorization, contentType string
		body                             []byte
		status                           int
		says                             string
	}{
		{"a file", "Bearer " + writeToken, formType, form("file", "*.rb payments\n[ x\n"), 202, `"rules":1`},
		{"no token", "", formType, form("file", "*.rb payments"), 401, "no token"},
		{"a token that may only read", "Bearer " + readToken, formType, form("file", "*.rb payments"), 403, "scope write"},
		{"no form", "Bearer " + writeToken, "text/plain", []byte("*.rb payments"), 415, "multipart/form-data"},
		{"no file", "Bearer " + writeToken, formType, form("data", "x"), 400, "no part named file"},
		{"a form cut off", "Bearer " + writeToken, formType, form("file", "x")[:40], 400, "broken at byte"},
		{"more than a megabyte", "Bearer " + writeToken, formType, form("file", strings.Repeat("*.rb a\n", 200_000)), 413, "larger than 1048576 bytes: leave out lines"},
		{"a little more than a megabyte", "Bearer " + writeToken, formType, form("file", strings.Repeat("*.rb a\n", 150_000)), 413, "larger than 1048576 bytes: leave out lines"},
		{"nothing that is understood", "Bearer " + writeToken, formType, form("file", "[ x\n!a b\n"), 400, "nothing of the file was understood: line 1"},
		{"no text", "Bearer " + writeToken, formType, form("file", "*.rb payments\n\xff\xfe"), 400, "no text in UTF-8"},
		{"a NUL", "Bearer " + writeToken, formType, form("file", "*.rb payments\x00"), 400, "no text in UTF-8"},
	}
	require.Equal(t, 405, h.request(t, http.MethodGet, "/v1/test-ownerships", nil).status)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Content-Type", test.contentType}
			if test.authorization != "" {
				headers = append(headers, "Authorization", test.authorization)
			}
			answer := h.request(t, http.MethodPost, "/v1/test-ownerships", bytes.NewReader(test.body), headers...)
			require.Equal(t, test.status, answer.status, answer.body)
			require.Contains(t, answer.body, test.says)
		})
	}
	messages := h.messages()
	require.Len(t, messages, 1)
	change, err := message.Get[testengine.Change](messages[0])
	require.NoError(t, err)
	require.Equal(t, []string{"acme", "api", "owners", `"*.rb payments\n[ x\n"`}, []string{change.Org, change.Suite, change.Type, string(change.Body)})
}
