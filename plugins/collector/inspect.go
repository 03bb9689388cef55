package collector

import (
	"errors"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// bodyKind is how a body says it is to be read.
type bodyKind struct {
	contentType string
	encoding    unpack.Encoding
}

// summary is what the door tells the client about its upload.
type summary struct {
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
	// slots bound how many bodies are unpacked at a time: it is work for a
	// processor, and memory.
	slots  chan struct{}
	buffer sync.Pool
}

func newInspector() *inspector {
	return &inspector{maxDepth: assemble.DefaultLimits().MaxDepth, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// keptBuffer is the largest buffer that is kept for the next packed body.
const keptBuffer = 16 << 20

// inspect looks at a body as decoding will; its errors are refusals.
func (i *inspector) inspect(kind bodyKind, body []byte, decodedLimit int64) (summary, error) {
	if kind.encoding == unpack.None {
		if int64(len(body)) > decodedLimit {
			return summary{}, tooLarge("after decompression", decodedLimit)
		}
		return i.look(kind, body)
	}
	i.slots <- struct{}{}
	defer func() { <-i.slots }()
	buffer, _ := i.buffer.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	unpacked, err := unpack.Append(kind.encoding, (*buffer)[:0], body, int(decodedLimit))
	defer func() {
		if cap(unpacked) <= keptBuffer {
			*buffer = unpacked[:0]
			i.buffer.Put(buffer)
		}
	}()
	if errors.Is(err, unpack.ErrTooLarge) {
		return summary{}, tooLarge("after decompression", decodedLimit)
	}
	if err != nil {
		return summary{}, invalid(err.Error() + ": send all of it, compressed once")
	}
	return i.look(kind, unpacked)
}

func (i *inspector) look(kind bodyKind, body []byte) (summary, error) {
	seen, err := formats.Look(kind.contentType, body, i.maxDepth)
	var syntax *assemble.SyntaxError
	switch {
	case err == nil:
		return summary{runKey: seen.RunKey, executions: seen.Executions, rejected: seen.Rejected, why: seen.Why}, nil
	case errors.As(err, &syntax):
		return summary{}, invalid(err.Error() + ": nothing of it was stored, correct it and send it again")
	case errors.Is(err, formats.ErrContentType):
		return summary{}, unsupported(err.Error())
	}
	return summary{}, invalid(err.Error())
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
