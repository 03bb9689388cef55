package collector

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSmuggling: a second request hidden in the body of the first is never one.
// RFC 9112 6.3: with both headers the chunks count, and the connection ends.
func TestSmuggling(t *testing.T) {
	transports(t, false, smuggle)
}

func smuggle(t *testing.T, h *house, _ *safeBuffer, by over) {
	hidden := "GET /ready HTTP/1.1\r\nHost: te.example\r\n\r\n"
	for _, test := range []struct {
		name, sent string
		uploads    int
	}{
		{"both headers, the length first", head(fmt.Sprintf("Content-Length: %d", 5+len(hidden)), "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden, 0},
		{"both headers, the coding first", head("Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n" + hidden, 0},
		{"a coding written oddly", head("Content-Length: 5", "Transfer-Encoding: xchunked") + "0\r\n\r\n" + hidden, 0},
		{"a coding behind a space", head("Content-Length: 5", "Transfer-Encoding : chunked") + "0\r\n\r\n" + hidden, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			connection := by.dial(t, h)
			_, err := io.WriteString(connection, test.sent)
			require.NoError(t, err)
			all, _ := io.ReadAll(connection) // a reset is as good an end
			require.Equal(t, 1, strings.Count(string(all), "HTTP/1.1 "), "one answer: %s", all)
			require.NotContains(t, string(all), "waiting_for")
		})
	}
	require.Empty(t, h.messages())
}

func TestPathsThatAreTricks(t *testing.T) {
	transports(t, false, trickPaths)
}

func trickPaths(t *testing.T, h *house, _ *safeBuffer, by over) {
	whole := string(body(oneExecution))
	for _, test := range []struct {
		path   string
		status int
	}{
		{"//v1/uploads", 202}, // a base address with a slash at its end
		{"/v1//uploads", 202},
		{"/v1/../v1/uploads", 404},
		{"/v1/./uploads", 404},
		{"/v1/%2e%2e/v1/uploads", 404},
		{"/v1%2Fuploads", 404},
		{"/v1/uploads%00", 404},
		{"/V1/UPLOADS", 404},
		{"/../../etc/passwd", 404},
		{"/v1/uploads/..%2f..%2fsuites.yaml", 404},
		{"//evil.example/v1/uploads", 404},
		{"/v1/uploads;x=1", 404},
		{"/v1/uploads#x", 404},
		{"/%76%31/%75ploads", 202}, // letters that are escaped are letters
		{"/v1/uploads%252f..", 404},
		{"/v1/uploads?token=other&%00", 202}, // what stands behind the ? is nothing
	} {
		t.Run(test.path, func(t *testing.T) {
			answer := by.wire(t, h, strings.Replace(head(fmt.Sprintf("Content-Length: %d", len(whole)), "Connection: close"), "/v1/uploads", test.path, 1)+whole)
			require.Equal(t, test.status, answer.status, answer.body)
			require.Empty(t, answer.header.Get("Location"), "nobody is sent elsewhere")
			tells(t, h, answer.body)
			if test.status == 404 {
				require.Contains(t, answer.message(t), "collectors send to /v1/uploads")
			}
		})
	}
}
