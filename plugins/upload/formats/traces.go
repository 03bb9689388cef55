package formats

import (
	"fmt"
	"mime"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/otlp"
)

// Parameters of a content type by which the log remembers what the path and the
// headers of a request of traces said.
const (
	schemaParameter = "schema"
	runKeyParameter = "run-key"
)

// traces is a request of OTLP.
type traces struct {
	encoding otlp.Encoding
	runKey   string
}

// TracesType is the content type under which a request of traces is kept, "" when
// it is no type of OTLP. Decode and Look know it again.
func TracesType(contentType, runKey string) string {
	kind := mediaType(contentType)
	parameters := map[string]string{}
	switch kind {
	case "application/json":
		parameters[schemaParameter] = otlp.Format
	case "application/x-protobuf", "application/protobuf":
	default:
		return ""
	}
	if runKey != "" {
		parameters[runKeyParameter] = runKey
	}
	return mime.FormatMediaType(kind, parameters)
}

// tracesOf says whether a body of that content type is traces. Protobuf always
// is: nothing else here is written in it.
func tracesOf(contentType string) (t traces, ok bool) {
	if contentType == "" || contentType == "application/json" {
		return t, false
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return t, false
	}
	t.runKey = parameters[runKeyParameter]
	switch kind {
	case "application/x-protobuf", "application/protobuf":
		return t, true
	case "application/json":
		t.encoding = otlp.JSON
		return t, parameters[schemaParameter] == otlp.Format
	}
	return t, false
}

// decode makes blocks of the request.
func (t traces) decode(facts assemble.Facts, body []byte, limits assemble.Limits) assemble.Result {
	result := otlp.Decode(facts, t.encoding, body, t.runKey, limits)
	if result.Refused {
		result.Report.Problems[0].Snippet = assemble.Snippet(fmt.Sprintf("%q", start(body)))
	}
	return result
}
