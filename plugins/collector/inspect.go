package collector

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// bodyKind is how a body says it is to be read.
type bodyKind struct {
	contentType string
	encoding    unpack.Encoding
}

// guessed is the kind with the packing that the body shows where no header names
// one: scripts forget it. No JSON and no form begins so; protobuf may.
func (k bodyKind) guessed(body []byte) bodyKind {
	if k.encoding == unpack.None && !strings.HasPrefix(k.contentType, answer.Protobuf) {
		k.encoding = unpack.Guess(body)
	}
	return k
}

// summary is what the door tells the client about its upload.
type summary struct {
	uploadID   string
	runKey     string
	executions int
	// rejected records are named here where the format's answer says so.
	rejected int
	why      string
}

// runKeyOr is the run that decoding will find: an upload without a key is a run
// of its own, named by the upload.
func (s summary) runKeyOr(uploadID string) string {
	if strings.TrimSpace(s.runKey) == "" {
		return uploadID
	}
	return s.runKey
}

// inspector checks the structure of bodies.
type inspector struct {
	maxDepth int
	// processors are taken in turns, to copy a stretch of a body from the system or
	// to inspect a body: more at a time would only make each other wait, and take
	// more memory. One tenant leaves a processor to the others.
	processors *fair.Share
	buffer     sync.Pool
}

func newInspector(now func() time.Time) *inspector {
	return &inspector{maxDepth: assemble.DefaultLimits().MaxDepth, processors: fair.New(fair.Options{
		Capacity: func() int64 { return int64(runtime.GOMAXPROCS(0)) },
		Spare:    func() int64 { return 1 },
		Now:      now,
	})}
}

// turn waits until a body of the tenant may be inspected; done gives the turn back.
func (i *inspector) turn(ctx context.Context, who *tenant.Tenant) (done func(), err error) {
	turns := i.turnsOf(ctx, who)
	return turns.giveBack, turns.take()
}

// turns are those of one request, which has one at a time.
type turns struct {
	take     func() error
	giveBack func()
}

func (i *inspector) turnsOf(ctx context.Context, who *tenant.Tenant) *turns {
	return &turns{
		take:     func() error { return i.processors.Acquire(ctx, who.Org, who.Organization.Weight, 1) },
		giveBack: func() { i.processors.Release(who.Org, 1) },
	}
}

// keptBuffer is the largest buffer that is kept for the next packed body.
const keptBuffer = 16 << 20

// inspect looks at a body as decoding will; its errors are refusals.
func (i *inspector) inspect(kind bodyKind, body []byte, decodedLimit int64) (seen summary, err error) {
	err = i.unpacked(kind.encoding, body, decodedLimit, func(plain []byte) error {
		seen, err = i.look(kind, plain)
		return err
	})
	return seen, err
}

// unpacked lets read see a body without its packing, for as long as it runs.
func (i *inspector) unpacked(encoding unpack.Encoding, body []byte, decodedLimit int64, read func(plain []byte) error) error {
	if encoding == unpack.None {
		if int64(len(body)) > decodedLimit {
			return tooLarge("after decompression", decodedLimit)
		}
		return read(body)
	}
	buffer, _ := i.buffer.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	plain, err := unpack.Append(encoding, (*buffer)[:0], body, int(decodedLimit))
	defer func() {
		if cap(plain) <= keptBuffer {
			*buffer = plain[:0]
			i.buffer.Put(buffer)
		}
	}()
	if errors.Is(err, unpack.ErrTooLarge) {
		return tooLarge("after decompression", decodedLimit)
	}
	if err != nil {
		return invalid(err.Error() + ": send all of it, compressed once")
	}
	return read(plain)
}

func (i *inspector) look(kind bodyKind, body []byte) (summary, error) {
	seen, err := formats.Look(kind.contentType, body, i.maxDepth)
	if err != nil {
		return summary{}, misread(err)
	}
	return summary{runKey: seen.RunKey, executions: seen.Executions, rejected: seen.Rejected, why: seen.Why}, nil
}

// misread is the answer to a body that is not what it says it is.
func misread(err error) *refusal {
	var syntax *assemble.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return invalid(err.Error() + ": nothing of it was stored, correct it and send it again")
	case errors.Is(err, formats.ErrContentType):
		return unsupported(err.Error())
	}
	return invalid(err.Error())
}

// kindOf reads the two headers that say how a body is written.
func kindOf(header http.Header) (kind bodyKind, err error) {
	kind.contentType = header.Get("Content-Type")
	mediaType, parameters, err := mime.ParseMediaType(kind.contentType)
	if err != nil {
		mediaType = ""
	}
	switch mediaType {
	case "application/json":
	case "multipart/form-data":
		if parameters["boundary"] == "" {
			return kind, invalid("the Content-Type multipart/form-data names no boundary: let the client set it (curl --form does)")
		}
	default:
		return kind, unsupported("the Content-Type is not one of application/json (a collector's upload) and multipart/form-data (curl --form data=@junit.xml)")
	}
	kind.encoding, err = encodingOf(header)
	return kind, err
}
