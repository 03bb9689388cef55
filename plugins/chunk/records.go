package chunk

import (
	"bytes"
	"fmt"
	"mime"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/multipart"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// records cuts a payload between its records; unpacked says that the chunks are
// no longer packed as the payload was.
func (c *chunker) records(m *service.Message, kind testengine.Kind, body []byte, limit int) (chunks []cut.Chunk, unpacked bool, err error) {
	if kind != testengine.KindUpload {
		chunks, err = byFormat(formatOf(c.format, message.Text(m, testengine.MetaContentType), body), body, c.path, limit)
		return chunks, false, err
	}
	encoding, known := unpack.Named(message.Text(m, testengine.MetaContentEncoding))
	if !known {
		return nil, false, fmt.Errorf("reading its content encoding: %w", cut.ErrNoRecords)
	}
	if encoding == unpack.None {
		encoding = unpack.Guess(body)
	}
	if encoding != unpack.None {
		if body, err = unpack.Append(encoding, nil, body, c.maxDecoded); err != nil {
			return nil, false, err
		}
		unpacked = true
	}
	contentType := message.Text(m, testengine.MetaContentType)
	if boundary := multipart.Boundary(contentType); boundary != "" {
		chunks, err = ofForm(body, boundary, limit)
	} else {
		chunks, err = byFormat(formatOf("auto", contentType, body), body, []string{"data"}, limit)
	}
	return chunks, unpacked, err
}

// ofForm cuts the file inside a form; the other parts stand around every chunk.
func ofForm(body []byte, boundary string, limit int) ([]cut.Chunk, error) {
	parts, err := multipart.Parse(body, boundary)
	if err != nil {
		return nil, err
	}
	form := multipart.Read(parts)
	how, known := formats[form.Format]
	if !form.HasData || !known {
		return nil, cut.ErrNoRecords
	}
	begin, end := form.Data.Offset, form.Data.Offset+len(form.Data.Value)
	chunks, err := byFormat(how.format, form.Data.Value, how.path, limit-begin-(len(body)-end))
	if err != nil {
		return nil, err
	}
	return cut.Within(body[:begin], body[end:], chunks), nil
}

// formats says how the files of forms are cut: those whose records stand in one
// array, line by line, or in test cases.
var formats = map[string]struct {
	format string
	path   []string
}{
	"json":          {"json", []string{"data"}},
	"junit":         {"junit", nil},
	"rspec-json":    {"json", []string{"examples"}},
	"jest-json":     {"json", []string{"testResults"}},
	"cucumber-json": {"json", nil},
}

func byFormat(format string, body []byte, path []string, limit int) ([]cut.Chunk, error) {
	switch format {
	case "ndjson":
		return cut.NDJSON(body, limit)
	case "junit":
		return cut.JUnit(body, limit)
	}
	return cut.JSON(body, path, limit)
}

// formatOf finds out what a payload is.
func formatOf(configured, contentType string, body []byte) string {
	if configured != "auto" {
		return configured
	}
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && (strings.HasSuffix(kind, "ndjson") || strings.HasSuffix(kind, "jsonl") || strings.HasSuffix(kind, "jsonlines")):
		return "ndjson"
	case err == nil && strings.HasSuffix(kind, "xml"), bytes.HasPrefix(bytes.TrimLeft(body[:min(len(body), 16)], " \t\r\n\uFEFF"), []byte("<")):
		return "junit"
	}
	return "json"
}
