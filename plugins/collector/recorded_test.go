package collector

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const recordedFolder = "../../tests/testdata/recorded-clients"

// recorded is a request of a real client.
type recorded struct {
	Method, Path string
	Headers      [][2]string
}

func TestRecordedClientsAreAccepted(t *testing.T) {
	h := openHouse(t, "", "")
	files, err := filepath.Glob(filepath.Join(recordedFolder, "*.json"))
	require.NoError(t, err)
	accepted := 0
	for _, file := range files {
		name := filepath.Base(file)
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var request recorded
		require.NoError(t, json.Unmarshal(raw, &request))
		if request.Path != "/v1/uploads" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sent, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".body")
			require.NoError(t, err)
			answer := h.request(t, request.Method, request.Path, bytes.NewReader(sent), h.headers(t, request)...)
			require.Equal(t, http.StatusAccepted, answer.status, answer.body)
			accepted++
			messages := h.messages()
			taken, err := messages[len(messages)-1].AsBytes()
			require.NoError(t, err)
			require.Equal(t, sent, taken, "bodies are kept as sent")
		})
	}
	require.Equal(t, 35, accepted)
	require.Len(t, h.messages(), accepted)
}

// headers are the client's own, with a token of ours in the client's spelling.
func (h *house) headers(t *testing.T, request recorded) []string {
	t.Helper()
	var headers []string
	for _, header := range request.Headers {
		switch http.CanonicalHeaderKey(header[0]) {
		case "Host", "Content-Length", "Connection":
			continue
		case "Authorization":
			token, ok := tenant.ParseAuthorization(header[1])
			require.True(t, ok)
			at := strings.LastIndex(header[1], token)
			header[1] = header[1][:at] + writeToken + header[1][at+len(token):]
		}
		headers = append(headers, header[0], header[1])
	}
	return headers
}
