package collector

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
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

// Whoever stands behind the door and lets uploads wait has to know how long they
// waited already: few are let in to something slow, and each of them is soon done.
func TestAnUploadTellsHowLongItWaitedForOthers(t *testing.T) {
	for _, test := range []struct {
		name string
		hold func(d *door) (release func())
	}{
		{"to be worked on", func(d *door) func() {
			permit, err := d.gate.limiter.Admit(t.Context(), "other", 1, limiter.Results)
			require.NoError(t, err)
			return func() { permit.Done(false) }
		}},
		{"for room", func(d *door) func() {
			require.NoError(t, d.inFlight.Acquire(t.Context(), "other", 1, d.config.inFlightBytes))
			return func() { d.inFlight.Release("other", d.config.inFlightBytes) }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := openHouse(t, "", "concurrency: {least: 1, first: 1, most: 1}\n")
			door := h.input.door
			release := test.hold(door)
			answered := make(chan reply, 1)
			go func() {
				answer, _ := h.try(t.Context(), http.MethodPost, "/v1/uploads", bytes.NewReader(body(oneExecution)),
					"Authorization", "Token "+writeToken, "Content-Type", "application/json")
				answered <- answer
			}()
			require.Eventually(t, func() bool { return door.gate.limiter.Waiting()+door.inFlight.Waiting() == 1 }, 10*time.Second, time.Millisecond)
			began := time.Now()
			require.Never(t, func() bool { return len(answered) > 0 }, 20*time.Millisecond, time.Millisecond)
			least := time.Since(began)
			release()
			require.Equal(t, 202, (<-answered).status)
			waited, _ := message.Int(h.messages()[0], testengine.MetaWaited)
			require.GreaterOrEqual(t, waited, least.Milliseconds())
		})
	}
}
