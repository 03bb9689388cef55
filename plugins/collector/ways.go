package collector

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/otlp"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// way is how the bodies of a path are read and answered; what lies between is
// the same for all.
type way interface {
	// kind reads the headers that say how a body is written. Its errors are refusals.
	kind(header http.Header) (bodyKind, error)
	accept(w http.ResponseWriter, r *http.Request, accepted *answer.Accepted)
	refuse(w http.ResponseWriter, r *http.Request, refused *refusal)
}

// mountWays mounts the door's paths beside that of the uploads. A collector that
// is told the wrong one of two similar addresses finds its way: Swift and
// JavaScript read the same variable, one with and one without the last part.
func (d *door) mountWays(listener *Listener, uploads string) error {
	above := path.Dir(path.Clean(uploads))
	if above != "/" {
		if err := listener.Handle("POST "+above, d); err != nil {
			return err
		}
		above += "/"
	}
	ways := map[string]http.Handler{
		uploads:                                    d,
		path.Clean(uploads) + "/uploads":           d,
		path.Clean(uploads) + "/{$}":               d,
		"POST " + above + "{$}":                    d,
		"GET " + path.Clean(uploads) + "/metadata": http.HandlerFunc(d.metadata),
		above + "test-ownerships":                  http.HandlerFunc(d.owners),
		above + "traces":                           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, tracesWay{}) }),
		above + otlp.Logs.Name:                     d.signal(otlp.Logs),
		above + otlp.Metrics.Name:                  d.signal(otlp.Metrics),
	}
	for call, handler := range planCalls {
		ways[planCallsAt+call] = handler
	}
	for pattern, handler := range ways {
		if err := listener.Handle(pattern, handler); err != nil {
			return err
		}
	}
	return nil
}

// metadata answers where the pages of the token's suite are: old Ruby collectors
// ask for it.
func (d *door) metadata(w http.ResponseWriter, r *http.Request) {
	who, err := d.authorize(r)
	if err == nil {
		var permit *limiter.Permit
		if permit, err = d.admit(r.Context(), &who, limiter.Annotations); err == nil {
			defer permit.Done(false)
		}
	}
	if err != nil {
		d.say(w, err)
		return
	}
	body, _ := json.Marshal(map[string]string{"suite_url": answer.SuiteURL(d.base(), who.Org, who.Suite)}) //nolint:errchkjson // strings only
	writeJSON(w, http.StatusOK, append(body, '\n'))
}

// say answers what went wrong.
func (d *door) say(w http.ResponseWriter, err error) { d.refusal(err).write(w) }

// refusal is the answer to an error.
func (d *door) refusal(err error) *refusal {
	var refused *refusal
	if !errors.As(err, &refused) {
		refused = overloaded(err.Error(), d.config.retryAfter)
	}
	return refused
}

// uploadsWay is that of collectors and of forms.
type uploadsWay struct{}

func (uploadsWay) kind(header http.Header) (bodyKind, error) { return kindOf(header) }

func (uploadsWay) accept(w http.ResponseWriter, _ *http.Request, accepted *answer.Accepted) {
	writeJSON(w, http.StatusAccepted, accepted.AppendJSON(make([]byte, 0, 512)))
}

func (uploadsWay) refuse(w http.ResponseWriter, _ *http.Request, refused *refusal) { refused.write(w) }

// runKeyHeader names the run of the spans of a request that name none.
const runKeyHeader = "Buildkite-Tests-Run-Key"

// tracesWay is that of OTLP over HTTP: 200 with an answer in the request's
// encoding, and 503 or 429 for what a client shall send again.
type tracesWay struct{}

func (tracesWay) kind(header http.Header) (bodyKind, error) {
	key := header.Get(runKeyHeader)
	if key != "" && !printable(key) {
		return bodyKind{}, invalid("the header " + runKeyHeader + " must be 1 to 255 printable ASCII characters without a space")
	}
	kind := bodyKind{contentType: formats.TracesType(header.Get("Content-Type"), key)}
	if kind.contentType == "" {
		return kind, unsupported("the Content-Type is neither application/x-protobuf nor application/json: OTLP is read in these two")
	}
	var err error
	kind.encoding, err = encodingOf(header)
	return kind, err
}

func printable(text string) bool {
	if len(text) > 255 {
		return false
	}
	for i := range len(text) {
		if text[i] < '!' || text[i] > '~' {
			return false
		}
	}
	return true
}

func (t tracesWay) accept(w http.ResponseWriter, r *http.Request, accepted *answer.Accepted) {
	why := ""
	if len(accepted.Errors) > 0 {
		why = accepted.Errors[0] + " (see " + accepted.SuiteURL + "/uploads/" + accepted.UploadID + ")"
	}
	t.write(w, r, http.StatusOK, func(asJSON bool) []byte {
		return answer.AppendExported(nil, asJSON, answer.RejectedSpans, accepted.Skipped, why)
	})
}

func (t tracesWay) refuse(w http.ResponseWriter, r *http.Request, refused *refusal) {
	refused.headers(w)
	t.write(w, r, refused.status, func(asJSON bool) []byte { return answer.AppendStatus(nil, asJSON, refused.message) })
}

func (tracesWay) write(w http.ResponseWriter, r *http.Request, status int, body func(asJSON bool) []byte) {
	if kept := formats.TracesType(r.Header.Get("Content-Type"), ""); kept == "" || inJSON(kept) {
		writeJSON(w, status, body(true))
		return
	}
	answer.Write(w, w.Header().Set, status, answer.Protobuf, body(false))
}

// inJSON reports whether a body is OTLP in JSON by the content type under which it is kept.
func inJSON(kept string) bool { return strings.HasPrefix(kept, "application/json") }

// encodingOf reads the header that says how a body is packed.
func encodingOf(header http.Header) (unpack.Encoding, error) {
	if len(header.Values("Content-Encoding")) > 1 {
		return unpack.None, unsupported("the Content-Encoding stands there more than once: compress once")
	}
	encoding, known := unpack.Named(header.Get("Content-Encoding"))
	if !known {
		return unpack.None, unsupported("the Content-Encoding is none of gzip, zstd, deflate: send the body in one of these, or as it is")
	}
	return encoding, nil
}
