package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func packed(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(raw)
	_ = w.Close()
	return b.Bytes()
}

const boundary = "cut-here"

func form(parts ...string) []byte {
	var b strings.Builder
	for i := 0; i+1 < len(parts); i += 2 {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + parts[i] + "\"\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return []byte(b.String() + "--" + boundary + "--\r\n")
}

func TestWhatIsRefused(t *testing.T) {
	const (
		jsonType = "application/json"
		formType = "multipart/form-data; boundary=" + boundary
	)
	authorized := "Token token=\"" + writeToken + "\""
	h := openHouse(t, "", "max_body: 20000B\nmax_decoded: 50000B\nmax_in_flight: 30000B\nin_flight_wait: 1ms\n")
	for _, test := range []struct {
		name, authorization, contentType, encoding string
		body                                       []byte
		status                                     int
		says                                       string
	}{
		{"no token", "", jsonType, "", body(""), 401, "no token was sent"},
		{"a wrong token", "Token token=\"guess\"", jsonType, "", body(""), 401, "could not be found with the supplied API token"},
		{"an expired token", "Bearer " + oldToken, jsonType, "", body(""), 401, "has expired"},
		{"a password", "Basic YTpi", jsonType, "", body(""), 401, "no token was sent"},
		{"a token that may only read", "Bearer " + readToken, jsonType, "", body(""), 403, "scope write"},
		{"no content type", authorized, "", "", body(""), 415, "application/json"},
		{"a content type nobody knows", authorized, "text/plain", "", body(""), 415, "application/json"},
		{"a form as curl -d sends it", authorized, "application/x-www-form-urlencoded", "", []byte("format=json"), 415, "multipart/form-data"},
		{"an encoding nobody knows", authorized, jsonType, "br", body(""), 415, "Content-Encoding"},
		{"a form without boundary", authorized, "multipart/form-data", "", form("format", "junit"), 400, "boundary"},
		{"a format nobody knows", authorized, formType, "", form("format", "tap", "data", "ok 1"), 400, `format "tap"`},
		{"a file of another format", authorized, formType, "", form("format", "rspec-json", "data", "{}"), 400, "there are no examples"},
		{"a form without format", authorized, formType, "", form("data", "[]"), 400, "no part named format"},
		{"a form without data", authorized, formType, "", form("format", "json"), 400, "no part named data"},
		{"a form that is cut off", authorized, formType, "", form("format", "json", "data", "[]")[:60], 400, "broken at byte"},
		{"an envelope of another format", authorized, jsonType, "", []byte(`{"format":"xml","data":[]}`), 400, "broken at byte 10"},
		{"JSON that is cut off", authorized, jsonType, "", body(oneExecution)[:80], 400, "broken at byte 80"},
		{"JSON with something behind it", authorized, jsonType, "", []byte(`{"data":[]}x`), 400, "broken at byte 11"},
		{"an envelope without data", authorized, jsonType, "", []byte(`{"format":"json"}`), 400, "no data"},
		{"an empty body", authorized, jsonType, "", nil, 400, "broken at byte 0"},
		{"JSON that nests too deep", authorized, jsonType, "", []byte(strings.Repeat("[", 1000)), 400, "nests too deep"},
		{"XML that is cut off", authorized, formType, "", form("format", "junit", "data", "<testsuite><testcase"), 400, "the XML is broken at byte"},
		{"gzip that is none", authorized, jsonType, "gzip", body(""), 400, "gzip is broken at byte"},
		{"gzip that is cut off", authorized, jsonType, "gzip", packed(body(oneExecution))[:40], 400, "gzip is broken at byte 40"},
		{"a body over the limit", authorized, jsonType, "", make([]byte, 20001), 413, "20000 bytes as sent"},
		{"a body over the suite's limit", "Bearer " + smallToken, jsonType, "", make([]byte, 101), 413, "100 bytes as sent"},
		{"a small body that unpacks to a large one", authorized, jsonType, "gzip", packed(make([]byte, 50001)), 413, "50000 bytes after decompression"},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Content-Type", test.contentType}
			if test.authorization != "" {
				headers = append(headers, "Authorization", test.authorization)
			}
			if test.encoding != "" {
				headers = append(headers, "Content-Encoding", test.encoding)
			}
			for _, chunked := range []bool{false, true} {
				answer := h.send(t, bytes.NewReader(test.body), headers...)
				if chunked { // bktec and OTLP send no Content-Length
					answer = h.send(t, struct{ *strings.Reader }{strings.NewReader(string(test.body))}, headers...)
				}
				require.Equal(t, test.status, answer.status, answer.body)
				require.Contains(t, answer.message(t), test.says)
			}
		})
	}
	require.Empty(t, h.messages(), "nothing that was refused reaches the stream")
	t.Run("another method", func(t *testing.T) {
		answer := h.request(t, http.MethodGet, "/v1/uploads", nil)
		require.Equal(t, 405, answer.status)
		require.Equal(t, "POST", answer.header.Get("Allow"))
		require.Contains(t, answer.message(t), "POST")
	})
	t.Run("another path", func(t *testing.T) {
		answer := h.request(t, http.MethodPost, "/v2/uploads", nil)
		require.Equal(t, 404, answer.status)
		require.Contains(t, answer.message(t), "/v1/uploads")
	})
}

func TestAnUploadIsAnsweredWhenTheStreamAcks(t *testing.T) {
	h := openHouse(t, "base_url: https://te.example/\n", "")
	for _, test := range []struct{ name, authorization string }{
		{"as most collectors write it", `Token token="` + writeToken + `"`},
		{"as bktec writes it", "Token token=" + writeToken},
		{"as .NET writes it", "Token " + writeToken},
		{"as a bearer", "Bearer " + writeToken},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := h.upload(t, body(oneExecution+","+oneExecution), "Authorization", test.authorization)
			require.Equal(t, 202, answer.status, answer.body)
			id := message.UploadID("acme", "api", body(oneExecution+","+oneExecution))
			run := testengine.RunID(testengine.SuiteSeed("acme", "api"), "build-1")
			base := "https://te.example/acme/suites/api"
			require.JSONEq(t, `{"id":"`+id+`","upload_id":"`+id+`","run_id":"`+run+`","queued":2,"skipped":0,"errors":[],
				"run_url":"`+base+`/runs/`+run+`","upload_url":"`+base+`/uploads/`+id+`","url":"`+base+`/uploads/`+id+`"}`, answer.body)
			require.Regexp(t, `^door;dur=[0-9.]+, wait;dur=[0-9.]+$`, answer.header.Get("Server-Timing"))
		})
	}
}

func TestTheStreamsRefusalIsTheClients(t *testing.T) {
	h := openHouse(t, "", "retry_after: 1500ms\n")
	h.mu.Lock()
	h.sink = func(service.MessageBatch) error { return errors.New("writing the log: disk full at /secret") }
	h.mu.Unlock()
	answer := h.upload(t, body(oneExecution))
	require.Equal(t, 503, answer.status)
	require.Equal(t, "2", answer.header.Get("Retry-After"))
	require.Contains(t, answer.message(t), "send it again")
	require.NotContains(t, answer.body, "secret")
}

func TestMetadataAreTheDoors(t *testing.T) {
	h := openHouse(t, "", "")
	answer := h.request(t, http.MethodPost, "/v1/uploads?org=evil&suite=evil&testengine_kind=change&offset=7&kafka_key=x",
		bytes.NewReader(packed(body(oneExecution))),
		"Authorization", "Token "+writeToken, "Content-Type", "application/json", "Content-Encoding", "gzip",
		"testengine_kind", "change", "Org", "evil", "Suite", "evil", "Upload_id", "up_x", "Received_at", "1",
		"Log_id", "l", "Partition", "3", "Offset", "9", "Log_time", "5", "Cookie", "org=evil", "Kafka_key", "x")
	require.Equal(t, 202, answer.status, answer.body)
	require.Len(t, h.messages(), 1)
	found := map[string]any{}
	require.NoError(t, h.messages()[0].MetaWalkMut(func(key string, value any) error {
		found[key] = value
		return nil
	}))
	require.IsType(t, int64(0), found[testengine.MetaReceivedAt])
	require.Greater(t, found[testengine.MetaReceivedAt], int64(1))
	delete(found, testengine.MetaReceivedAt)
	require.IsType(t, int64(0), found[testengine.MetaWaited])
	delete(found, testengine.MetaWaited)
	require.Equal(t, map[string]any{
		testengine.MetaKind:            "upload",
		testengine.MetaBodyGiven:       true,
		testengine.MetaOrg:             "acme",
		testengine.MetaSuite:           "api",
		testengine.MetaDefaultBranch:   "trunk",
		testengine.MetaUploadID:        message.UploadID("acme", "api", packed(body(oneExecution))),
		testengine.MetaContentType:     "application/json",
		testengine.MetaContentEncoding: "gzip",
	}, found)
}

func TestTheSameBodyIsTheSameUpload(t *testing.T) {
	h := openHouse(t, "", "")
	var ids []string
	for _, raw := range [][]byte{body(oneExecution), body(oneExecution), body("")} {
		answer := h.upload(t, raw)
		require.Equal(t, 202, answer.status)
		var accepted struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(answer.body), &accepted))
		ids = append(ids, accepted.ID)
	}
	require.Equal(t, ids[0], ids[1])
	require.NotEqual(t, ids[0], ids[2])
	other := h.send(t, bytes.NewReader(body("")), "Authorization", "Bearer "+smallToken, "Content-Type", "application/json")
	require.NotContains(t, other.body, ids[2], "another suite's upload is another upload")
}

func TestAnUploadWithoutRunKeyIsARunOfItsOwn(t *testing.T) {
	h := openHouse(t, "", "")
	raw := []byte(`{"data":[` + oneExecution + `]}`)
	answer := h.upload(t, raw)
	require.Equal(t, 202, answer.status)
	require.Contains(t, answer.body, testengine.RunID(testengine.SuiteSeed("acme", "api"), message.UploadID("acme", "api", raw)))
}

func TestABodyWhoseMemoryIsUsedAgainIsNotGiven(t *testing.T) {
	for setting, given := range map[string]bool{"": true, "reuse_bodies: true\n": false} {
		h := openHouse(t, "", setting)
		require.Equal(t, 202, h.upload(t, body(oneExecution)).status)
		_, marked := h.messages()[0].MetaGetMut(testengine.MetaBodyGiven)
		require.Equal(t, given, marked, setting)
	}
}
