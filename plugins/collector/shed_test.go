package collector

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsNoResultIsTurnedAwayFirst(t *testing.T) {
	h := openHouse(t, "", "concurrency: {max_lag: 1m}\n")
	lag := time.Duration(0)
	h.listener.AddLag(func() time.Duration { return lag })
	token := []string{"Authorization", "Token " + writeToken}
	metadata := func() reply { return h.request(t, http.MethodGet, "/v1/uploads/metadata", http.NoBody, token...) }
	owners := func() reply {
		return h.request(t, http.MethodPost, "/v1/test-ownerships", bytes.NewReader(form("file", "* @acme/core\n")),
			append(token, "Content-Type", "multipart/form-data; boundary="+boundary)...)
	}
	logs := func() reply {
		return h.request(t, http.MethodPost, "/v1/logs", strings.NewReader("{}"), append(token, "Content-Type", "application/json")...)
	}
	for _, step := range []struct {
		name                       string
		lag                        time.Duration
		result, owners, link, logs int
	}{
		{"nothing is behind", 0, 202, 202, 200, 200},
		{"the output is behind", 2 * time.Minute, 202, 503, 503, 503},
		{"it has caught up", time.Second, 202, 202, 200, 200},
	} {
		t.Run(step.name, func(t *testing.T) {
			lag = step.lag
			answers := []reply{h.upload(t, body(oneExecution)), owners(), metadata(), logs()}
			require.Equal(t, []int{step.result, step.owners, step.link, step.logs},
				[]int{answers[0].status, answers[1].status, answers[2].status, answers[3].status}, answers)
			if step.owners == http.StatusServiceUnavailable {
				require.NotEmpty(t, answers[1].header.Get("Retry-After"))
				require.Contains(t, answers[2].message(t), "this can wait")
			}
		})
	}
}
