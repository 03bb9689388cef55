package collector

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// The results of a request, as they are counted.
const (
	resultAccepted     = "accepted"
	resultMethod       = "method"
	resultUnauthorized = "unauthorized"
	resultForbidden    = "forbidden"
	resultUnsupported  = "unsupported"
	resultInvalid      = "invalid"
	resultTooLarge     = "too_large"
	resultTooSlow      = "too_slow"
	resultOverloaded   = "overloaded"
	resultNotStored    = "not_stored"
	resultQuota        = "quota"
)

var results = []string{
	resultAccepted, resultMethod, resultUnauthorized, resultForbidden, resultUnsupported, resultInvalid,
	resultTooLarge, resultTooSlow, resultOverloaded, resultNotStored, resultQuota,
}

// refusal is an answer other than 202.
type refusal struct {
	status  int
	result  string
	message string
	// retryAfter is sent along when the same request may succeed later.
	retryAfter time.Duration
}

func (r *refusal) Error() string { return r.message }

func notPosted(what string) *refusal {
	return &refusal{status: http.StatusMethodNotAllowed, result: resultMethod, message: what + " are sent with POST"}
}

func unsupported(message string) *refusal {
	return &refusal{status: http.StatusUnsupportedMediaType, result: resultUnsupported, message: message}
}

func invalid(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, result: resultInvalid, message: message}
}

func tooLarge(what string, limit int64) *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, result: resultTooLarge,
		message: "the upload is larger than " + strconv.FormatInt(limit, 10) + " bytes " + what +
			": send it in several uploads with the same run_env key",
	}
}

func tooLargeOwners(limit int64) *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, result: resultTooLarge,
		message: "the TESTOWNERS file is larger than " + strconv.FormatInt(limit, 10) + " bytes: leave out lines, a folder can stand for the files in it",
	}
}

func overloaded(why string, wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, result: resultOverloaded, retryAfter: wait,
		message: why + ": nothing was stored, send the upload again in " + wait.String(),
	}
}

func notStored(wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, result: resultNotStored, retryAfter: wait,
		message: "the upload could not be stored: send it again in " + wait.String() + " (the same bytes are never counted twice)",
	}
}

// tooMany is answered until the time is over that it says.
func tooMany(why, result string, wait time.Duration) *refusal {
	wait = max(time.Second, wait.Round(time.Second))
	return &refusal{
		status: http.StatusTooManyRequests, result: result, retryAfter: wait,
		message: why + ": nothing was stored, send it again in " + wait.String(),
	}
}

func unauthorized(err error) *refusal {
	if errors.Is(err, tenant.ErrScope) {
		return &refusal{
			status: http.StatusForbidden, result: resultForbidden,
			message: "the token may not send uploads: give it the scope write in suites.yaml, or use another token",
		}
	}
	return &refusal{status: http.StatusUnauthorized, result: resultUnauthorized, message: err.Error()}
}

// unreadable says why a body could not be read to its end.
func unreadable(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{
			status: http.StatusRequestTimeout, result: resultTooSlow,
			message: "the body did not arrive in time: send it faster, or in smaller uploads (read_timeout of the listener)",
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return invalid("the body ended before its announced length: send all of it")
	}
	return invalid("the body could not be read: " + err.Error())
}

func (r *refusal) write(w http.ResponseWriter) {
	r.headers(w)
	writeJSON(w, r.status, answer.AppendMessage(nil, r.message))
}

func (r *refusal) headers(w http.ResponseWriter) {
	header := w.Header()
	if r.retryAfter > 0 {
		seconds := int64((r.retryAfter + time.Second - 1) / time.Second)
		header.Set("Retry-After", strconv.FormatInt(seconds, 10))
		header.Set("RateLimit-Reset", strconv.FormatInt(seconds, 10)) // what bktec reads
	}
	switch r.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Token realm="testengine"`)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusRequestTimeout:
		header.Set("Connection", "close")
	}
}
