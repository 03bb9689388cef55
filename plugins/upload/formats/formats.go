// Package formats knows which decoder reads which body. A new format is a new
// package with Feed and Look, and a row in the table here.
package formats

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
	"github.com/connect-testengine/connect-testengine/plugins/upload/junit"
	"github.com/connect-testengine/connect-testengine/plugins/upload/multipart"
	"github.com/connect-testengine/connect-testengine/plugins/upload/otlp"
	"github.com/connect-testengine/connect-testengine/plugins/upload/runners"
)

// What a door answers with 415 and 400. Everything else that Look returns is an
// *assemble.SyntaxError.
var (
	ErrContentType = errors.New("this content type is not read here, send application/json or multipart/form-data")
	ErrFormat      = errors.New("this format is not read here")
)

// format is one row of the table.
type format struct {
	name string
	feed func(builder *assemble.Builder, body []byte) error
	look func(body []byte, maxDepth int) (decode.Seen, error)
}

var table = []format{
	{decode.Format, decode.Feed, decode.Look},
	{junit.Format, junit.Feed, counted(junit.Look)},
	{runners.RSpec, runners.FeedRSpec, counted(runners.LookRSpec)},
	{runners.Jest, runners.FeedJest, counted(runners.LookJest)},
	{runners.Playwright, runners.FeedPlaywright, counted(runners.LookPlaywright)},
	{runners.Cucumber, runners.FeedCucumber, counted(runners.LookCucumber)},
	{runners.GoTest, runners.FeedGoTest, counted(runners.LookGoTest)},
}

// counted is the look of a format whose files know no run.
func counted(look func(body []byte, maxDepth int) (int, error)) func([]byte, int) (decode.Seen, error) {
	return func(body []byte, maxDepth int) (decode.Seen, error) {
		executions, err := look(body, maxDepth)
		return decode.Seen{Executions: executions}, err
	}
}

// contentTypes are those that name a format without a form. A body without
// content type is told by its first byte.
var contentTypes = map[string]string{
	"application/json":         decode.Format,
	"text/json":                decode.Format,
	"application/x-ndjson":     decode.Format,
	"application/ndjson":       decode.Format,
	"application/jsonl":        decode.Format,
	"application/jsonlines":    decode.Format,
	"application/octet-stream": decode.Format,
	"application/xml":          junit.Format,
	"text/xml":                 junit.Format,
}

// names are the formats that a form may name.
func names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// Look walks a decompressed body as the door does: envelope and structure. It
// reports ErrContentType, ErrFormat or an *assemble.SyntaxError, and tells what an
// answer to the collector says: the run's key and how many executions there are.
// For a JSON body that is well it allocates nothing but the key.
func Look(contentType string, body []byte, maxDepth int) (decode.Seen, error) {
	if t, ok := tracesOf(contentType); ok {
		return otlp.Look(t.encoding, body, t.runKey, maxDepth)
	}
	opened, err := open(contentType, body)
	if err != nil {
		return decode.Seen{}, err
	}
	var seen decode.Seen
	if !opened.empty {
		seen, err = opened.format.look(opened.data, maxDepth)
	}
	for _, pair := range opened.form.Env {
		if pair.Key == "key" && pair.Value != "" {
			seen.RunKey = pair.Value
			break
		}
	}
	return seen, opened.shift(err)
}

// Decode makes blocks of a decompressed body. A body that cannot be read gives a
// result without blocks, and the report says why; it is never an error.
func Decode(facts assemble.Facts, contentType string, body []byte, limits assemble.Limits) assemble.Result {
	if t, ok := tracesOf(contentType); ok {
		return t.decode(facts, body, limits)
	}
	opened, err := open(contentType, body)
	if err != nil {
		return assemble.New(facts, "", limits).Refuse(err, start(body))
	}
	builder := assemble.New(facts, opened.format.name, limits)
	for _, pair := range opened.form.Env {
		builder.Env(pair.Key, pair.Value)
	}
	for _, pair := range opened.form.Tags {
		builder.UploadTag(pair.Key, pair.Value)
	}
	for _, name := range opened.form.Unread {
		builder.Envelope("form", "a part of this name is not read: it was passed over", name)
	}
	if opened.empty {
		builder.Remark(-1, "data", "the file is empty", "")
		return builder.Finish()
	}
	if err := opened.shift(opened.format.feed(builder, opened.data)); err != nil {
		return builder.Refuse(err, opened.around(err))
	}
	return builder.Finish()
}

// opened is a body whose format is known.
type opened struct {
	format *format
	form   multipart.Form
	// data is what is in that format, and offset where it begins in the body.
	data   []byte
	offset int
	// empty is a form's file without a byte: a runner had nothing to write.
	empty bool
}

func open(contentType string, body []byte) (opened, error) {
	kind := mediaType(contentType)
	switch {
	case kind == "multipart/form-data":
		return openForm(contentType, body)
	case kind == "" && strings.HasPrefix(strings.TrimLeft(start(body), " \t\r\n\uFEFF"), "<"):
		return of(find(junit.Format), body, 0)
	case kind == "":
		return of(find(decode.Format), body, 0)
	}
	name, known := contentTypes[kind]
	if !known {
		return opened{}, fmt.Errorf("content type %q: %w", assemble.Snippet(kind), ErrContentType)
	}
	return of(find(name), body, 0)
}

// of opens a text of that format, which begins at that offset of the body.
func of(format *format, data []byte, offset int) (opened, error) {
	text, mark := plain(data)
	return opened{format: format, data: text, offset: offset + mark}, nil
}

func openForm(contentType string, body []byte) (opened, error) {
	boundary := multipart.Boundary(contentType)
	if boundary == "" {
		return opened{}, fmt.Errorf("content type %q names no boundary: %w", assemble.Snippet(contentType), ErrContentType)
	}
	parts, err := multipart.Parse(body, boundary)
	if err != nil {
		return opened{}, err
	}
	form := multipart.Read(parts)
	if twice := form.Twice; twice != nil {
		reason := "a second part named " + twice.Name + " stands here: send an upload for each file, all with the same run_env[key]"
		return opened{}, &assemble.SyntaxError{Format: "multipart body", Offset: twice.Offset, Reason: reason}
	}
	if form.Format == "" {
		return opened{}, fmt.Errorf("the form has no part named format, send one of %s: %w", strings.Join(names(), ", "), ErrFormat)
	}
	row := find(form.Format)
	if row == nil {
		return opened{}, fmt.Errorf("format %q, send one of %s: %w", assemble.Snippet(form.Format), strings.Join(names(), ", "), ErrFormat)
	}
	if !form.HasData {
		return opened{}, &assemble.SyntaxError{Format: "multipart body", Offset: len(body), Reason: "it has no part named data"}
	}
	file, err := of(row, form.Data.Value, form.Data.Offset)
	file.form, file.empty = form, len(bytes.TrimSpace(file.data)) == 0
	return file, err
}

// mediaType is the content type without parameters, in lower case. The usual one
// is answered without a parser.
func mediaType(contentType string) string {
	if contentType == "application/json" || contentType == "" {
		return contentType
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(contentType, ";")
		return strings.ToLower(strings.TrimSpace(kind))
	}
	return kind
}

func find(name string) *format {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// shift makes an error of the data one of the body.
func (o *opened) shift(err error) error {
	var syntax *assemble.SyntaxError
	if o.offset > 0 && errors.As(err, &syntax) {
		return syntax.Shifted(o.offset)
	}
	return err
}

func start(body []byte) string { return string(body[:min(len(body), 200)]) }

// around is what stands where the body breaks.
// around is what stands at the place of a syntax error in the opened text.
func (o *opened) around(err error) string {
	var syntax *assemble.SyntaxError
	if !errors.As(err, &syntax) {
		return start(o.data)
	}
	from := min(max(0, syntax.Offset-o.offset-40), len(o.data))
	return start(o.data[from:])
}
