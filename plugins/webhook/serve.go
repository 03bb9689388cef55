package webhook

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/buffers"
	"github.com/connect-testengine/connect-testengine/plugins/collector/handoff"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/webhook/replay"
	"github.com/connect-testengine/connect-testengine/plugins/webhook/signature"
)

// The results of a webhook, as they are counted.
const (
	resultAccepted     = "accepted"
	resultRepeated     = "repeated"
	resultMethod       = "method"
	resultUnauthorized = "unauthorized"
	resultStale        = "stale"
	resultInvalid      = "invalid"
	resultTooLarge     = "too_large"
	resultTooSlow      = "too_slow"
	resultNotStored    = "not_stored"
)

// refusal is an answer other than 2xx.
type refusal struct {
	status  int
	result  string
	message string
}

func (r *refusal) Error() string { return r.message }

var (
	// errRepeated says that the webhook was stored before.
	errRepeated = errors.New("it was stored before")
	// errPending says that the same webhook is being stored now: what becomes of it is not known yet.
	errPending = errors.New("the same webhook is being stored now")
)

// ServeHTTP takes one webhook.
func (i *input) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := i.take(r)
	var refused *refusal
	switch {
	case err == nil:
		i.answer(w, http.StatusAccepted, resultAccepted, "accepted")
	case errors.Is(err, errRepeated):
		i.answer(w, http.StatusOK, resultRepeated, "accepted before")
	case errors.As(err, &refused):
		if refused.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		i.answer(w, refused.status, refused.result, refused.message)
	default:
		w.Header().Set("Retry-After", strconv.FormatInt(int64((i.config.retryAfter+time.Second-1)/time.Second), 10))
		i.answer(w, http.StatusServiceUnavailable, resultNotStored, "the webhook was not stored: send it again")
	}
}

func (i *input) answer(w http.ResponseWriter, status int, result, message string) {
	i.results.Incr(1, result)
	answer.Write(w, w.Header().Set, status, answer.JSON, answer.AppendMessage(nil, message))
}

// take does everything between the header and the answer.
func (i *input) take(r *http.Request) error {
	if r.Method != http.MethodPost {
		return &refusal{http.StatusMethodNotAllowed, resultMethod, "webhooks are sent with POST"}
	}
	presented, _ := tenant.ParseAuthorization(r.Header.Get("Authorization"))
	if !i.admitted(presented) {
		return &refusal{http.StatusUnauthorized, resultUnauthorized, "the token of this path is missing or wrong: send Authorization: Bearer"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), i.config.timeout)
	defer cancel()
	held := i.config.maxBody
	if r.ContentLength >= 0 {
		held = min(r.ContentLength, held)
	}
	came := i.now()
	if err := i.inFlight.Acquire(ctx, held); err != nil {
		return err
	}
	defer i.inFlight.Release(held)
	waited := i.now().Sub(came)
	body, err := i.body(r)
	if err != nil {
		return err
	}
	err = i.pass(ctx, r, body, waited)
	if !errors.Is(err, handoff.ErrNotAcknowledged) {
		i.buffers.Put(body) // nobody has it, or nobody reads it any more
	}
	return err
}

// pass hands a body, which waited for room, to the stream, unless it has come before.
func (i *input) pass(ctx context.Context, r *http.Request, body []byte, waited time.Duration) error {
	id, err := i.verify(r, body)
	if err != nil {
		return err
	}
	switch i.replays.Begin(i.now(), id) {
	case replay.Repeated:
		return errRepeated
	case replay.Pending:
		return errPending
	case replay.Unknown:
	}
	if err := i.desk.Offer(ctx, i.config.path, i.message(r, id, body, waited)); err != nil {
		i.replays.Abandon(id)
		i.log.Debugf("A webhook for %s was not stored: %v", i.config.path, err)
		return err
	}
	i.replays.Stored(i.now(), id)
	return nil
}

func (i *input) body(r *http.Request) ([]byte, error) {
	body, err := i.buffers.Read(r.Body, r.ContentLength, i.config.maxBody, func(int64) error { return nil })
	switch {
	case errors.Is(err, buffers.ErrTooLarge):
		return nil, i.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &refusal{http.StatusRequestTimeout, resultTooSlow, "the body came too slowly"}
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, resultInvalid, "the body ended early"}
	}
	return body, nil
}

func (i *input) tooLarge() error {
	return &refusal{http.StatusRequestEntityTooLarge, resultTooLarge, "the body is larger than " + strconv.FormatInt(i.config.maxBody, 10) + " bytes"}
}

// verify checks the signature and names the delivery.
func (i *input) verify(r *http.Request, body []byte) (id string, err error) {
	if i.config.verifier == nil {
		if i.config.replayHeader == "" {
			return "", nil
		}
		return strings.TrimSpace(r.Header.Get(i.config.replayHeader)), nil
	}
	verified, err := i.config.verifier.Verify(i.now(), r.Header.Get, body)
	switch {
	case errors.Is(err, signature.ErrStale):
		return "", &refusal{http.StatusBadRequest, resultStale, "the webhook is refused: " + err.Error()}
	case err != nil:
		return "", &refusal{http.StatusUnauthorized, resultUnauthorized, "the webhook is refused: " + err.Error()}
	}
	return verified.ID, nil
}
