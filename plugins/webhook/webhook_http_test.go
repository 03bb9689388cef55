package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func inputOf(t *testing.T, yaml string) *input {
	t.Helper()
	conf, err := webhookSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	config, err := configFromParsed(conf)
	require.NoError(t, err)
	return newInput(config, service.MockResources())
}

// stream takes webhooks as long as the test runs and answers each with err.
func stream(t *testing.T, i *input, err error) (taken *[]*service.Message) {
	t.Helper()
	taken = &[]*service.Message{}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for {
			batch, ack, readErr := i.ReadBatch(ctx)
			if readErr != nil {
				return
			}
			*taken = append(*taken, batch...)
			_ = ack(ctx, err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return taken
}

func send(i *input, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func post(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader(body))
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	return r
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

const github = `
headers: [ X-GitHub-Event ]
max_body: 100B
signature: { scheme: github, secrets: [ s3cret ] }
`

func TestAWebhookIsAnsweredWhenItIsSafe(t *testing.T) {
	i := inputOf(t, github)
	taken := stream(t, i, nil)
	status, body := send(i, post(`{"a":1}`, "X-Hub-Signature-256", sign("s3cret", `{"a":1}`), "X-GitHub-Event", "push", "X-Other", "x", "Content-Type", "application/json"))
	require.Equal(t, `202 {"message":"accepted"}`, fmt.Sprint(status, " ", body))
	require.Len(t, *taken, 1)
	meta := map[string]string{}
	require.NoError(t, (*taken)[0].MetaWalk(func(key, value string) error { meta[key] = value; return nil }))
	require.Equal(t, "push", meta["X-GitHub-Event"])
	require.Equal(t, "/webhooks", meta["webhook_path"])
	require.Equal(t, "application/json", meta["content_type"])
	require.NotContains(t, meta, "X-Other")

	status, body = send(i, post(`{"a":1}`, "X-Hub-Signature-256", sign("s3cret", `{"a":1}`)))
	require.Equal(t, `200 {"message":"accepted before"}`, fmt.Sprint(status, " ", body))
	require.Len(t, *taken, 1, "it is not passed on again")
}

// Whoever stands behind and lets webhooks wait has to know how long they waited.
func TestAWebhookTellsHowLongItWaitedForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := inputOf(t, "max_body: 100B\nmax_in_flight: 100B\n")
		taken := stream(t, i, nil)
		require.NoError(t, i.inFlight.Acquire(t.Context(), 100))
		go send(i, post("{}"))
		time.Sleep(3 * time.Second)
		i.inFlight.Release(100)
		synctest.Wait()
		require.Len(t, *taken, 1)
		waited, _ := message.Int((*taken)[0], testengine.MetaWaited)
		require.EqualValues(t, 3000, waited)
	})
}

func TestRefusals(t *testing.T) {
	signed := func(body string) []string { return []string{"X-Hub-Signature-256", sign("s3cret", body)} }
	get := httptest.NewRequest(http.MethodGet, "/webhooks", nil)
	long := strings.Repeat("x", 101)
	chunked := post(long, signed(long)...)
	chunked.ContentLength = -1
	short := post("abc", signed("abc")...)
	short.ContentLength = 5
	for _, c := range []struct {
		name, yaml string
		request    *http.Request
		want       string
	}{
		{"not signed", github, post("{}"), `401 {"message":"the webhook is refused: it is not signed"}`},
		{"signed with another secret", github, post("{}", "X-Hub-Signature-256", sign("other", "{}")), `401 {"message":"the webhook is refused: its signature is not that of any secret"}`},
		{
			"signed long ago", "signature: { scheme: stripe, secrets: [ s ] }", post("{}", "Stripe-Signature", "t=1,v1="+strings.TrimPrefix(sign("s", "1.{}"), "sha256=")),
			`400 {"message":"the webhook is refused: it was signed too long ago or in the future: check the sender's clock"}`,
		},
		{"no token", "token: t0ken", post("{}"), `401 {"message":"the token of this path is missing or wrong: send Authorization: Bearer"}`},
		{"another token", "token: t0ken", post("{}", "Authorization", "Bearer t0ke"), `401 {"message":"the token of this path is missing or wrong: send Authorization: Bearer"}`},
		{"not POST", github, get, `405 {"message":"webhooks are sent with POST"}`},
		{"announced as too large", github, post(long, signed(long)...), `413 {"message":"the body is larger than 100 bytes"}`},
		{"too large without announcing it", github, chunked, `413 {"message":"the body is larger than 100 bytes"}`},
		{"shorter than announced", github, short, `400 {"message":"the body ended early"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := inputOf(t, c.yaml)
			taken := stream(t, i, nil)
			status, body := send(i, c.request)
			require.Equal(t, c.want, fmt.Sprint(status, " ", body))
			require.Empty(t, *taken)
		})
	}
}

func TestWhatIsNotStoredMayComeAgain(t *testing.T) {
	i := inputOf(t, "replay: { header: X-Id }\nretry_after: 7s")
	taken := stream(t, i, errors.New("the disk is full"))
	w := httptest.NewRecorder()
	i.ServeHTTP(w, post("{}", "X-Id", "1"))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "7", w.Header().Get("Retry-After"))
	status, _ := send(i, post("{}", "X-Id", "1"))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Len(t, *taken, 2)
}

func TestAWebhookWaitsNoLongerThanItsTime(t *testing.T) {
	i := inputOf(t, "answer_timeout: 10ms")
	status, body := send(i, post("{}"))
	require.Equal(t, `503 {"message":"the webhook was not stored: send it again"}`, fmt.Sprint(status, " ", body))
}

func TestTheMemoryOfABodyIsUsedAgainOnlyWhenNobodyReadsIt(t *testing.T) {
	i := inputOf(t, "reuse_bodies: true\nanswer_timeout: 50ms")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	kept := make(chan *service.Message, 1)
	go func() {
		batch, _, err := i.ReadBatch(ctx) // it is never acknowledged
		if err == nil {
			kept <- batch[0]
		}
	}()
	status, _ := send(i, post("first"))
	require.Equal(t, http.StatusServiceUnavailable, status)
	stream(t, i, nil)
	for range 10 {
		status, _ = send(i, post("other"))
		require.Equal(t, http.StatusAccepted, status)
	}
	content, err := (<-kept).AsBytes()
	require.NoError(t, err)
	require.Equal(t, "first", string(content))
}

func TestAfterTheWindowAWebhookIsNewAgain(t *testing.T) {
	i := inputOf(t, "replay: { header: X-Id, window: 1m }")
	now := time.Unix(1000, 0)
	i.now = func() time.Time { return now }
	stream(t, i, nil)
	for _, step := range []struct {
		after  time.Duration
		status int
	}{{0, 202}, {59 * time.Second, 200}, {time.Minute, 202}} {
		now = time.Unix(1000, 0).Add(step.after)
		status, _ := send(i, post("{}", "X-Id", "1"))
		require.Equal(t, step.status, status, step.after)
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"max_body: 1MB\nmax_in_flight: 1kB", "reading max_in_flight: it must not be less than max_body, or the largest webhook never fits"},
		{"max_body: much", `reading max_body: "much" is no size such as 32MiB`},
		{"path: hooks", `reading path: "hooks" must begin with / and have no braces`},
		{"path: /hooks/{id}", `reading path: "/hooks/{id}" must begin with / and have no braces`},
		{"signature: { scheme: github }", "reading signature: reading secrets: at least one is needed"},
	} {
		conf, err := webhookSpec().ParseYAML(c.yaml, nil)
		require.NoError(t, err)
		_, err = configFromParsed(conf)
		require.EqualError(t, err, c.want)
	}
}

func TestAPathThatIsOpenToEverybodyIsTold(t *testing.T) {
	for yaml, told := range map[string]bool{
		"path: /a": true, "token: sesame": false, "signature: { scheme: github, secrets: [ s ] }": false,
	} {
		conf, err := webhookSpec().ParseYAML(yaml, nil)
		require.NoError(t, err)
		config, err := configFromParsed(conf)
		require.NoError(t, err)
		var log bytes.Buffer
		newInput(config, service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil))))))
		require.Equal(t, told, strings.Contains(log.String(), "may send webhooks: set token or signature"), log.String())
	}
}
