// Package answer writes what the front door says, in the shapes that collectors parse.
package answer

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// Types of answers.
const (
	JSON     = "application/json"
	Protobuf = "application/x-protobuf"
)

// Writer is the part of an http.ResponseWriter that an answer needs; set sets its headers.
type Writer interface {
	WriteHeader(status int)
	Write(body []byte) (int, error)
}

// Write answers with a body that nobody keeps. What the client does not hear of cannot be helped.
func Write(w Writer, set func(name, value string), status int, contentType string, body []byte) {
	set("Content-Type", contentType)
	set("Cache-Control", "no-store")
	set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Accepted is the answer to a stored upload: the superset of what any collector
// parses. Rust insists on the first five, the plugin reads run_url, Swift the rest.
type Accepted struct {
	UploadID string
	RunID    string
	Queued   int
	Skipped  int
	Errors   []string
	// Waited is how long it waited to be worked on; the body does not tell.
	Waited time.Duration
	// SuiteURL is where the suite's pages begin, without a slash at the end.
	SuiteURL string
}

// SuiteURL is where the pages of a suite begin.
func SuiteURL(base, org, suite string) string {
	return base + "/" + url.PathEscape(org) + "/suites/" + url.PathEscape(suite)
}

// AppendJSON writes the answer on one line: the plugin cuts run_url out of it
// with sed when it has no jq.
func (a *Accepted) AppendJSON(b []byte) []byte {
	runURL := a.SuiteURL + "/runs/" + url.PathEscape(a.RunID)
	uploadURL := a.SuiteURL + "/uploads/" + url.PathEscape(a.UploadID)
	b = appendField(append(b, '{'), "id", a.UploadID)
	b = appendField(append(b, ','), "upload_id", a.UploadID)
	b = appendField(append(b, ','), "run_id", a.RunID)
	b = strconv.AppendInt(append(b, `,"queued":`...), int64(a.Queued), 10)
	b = strconv.AppendInt(append(b, `,"skipped":`...), int64(a.Skipped), 10)
	b = append(b, `,"errors":[`...)
	for i, problem := range a.Errors {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, problem)
	}
	b = appendField(append(b, ']', ','), "run_url", runURL)
	b = appendField(append(b, ','), "upload_url", uploadURL)
	b = appendField(append(b, ','), "url", uploadURL)
	return append(b, '}', '\n')
}

// AppendMessage writes the body of every refusal: what is wrong and what to do.
func AppendMessage(b []byte, message string) []byte {
	b = appendField(append(b, '{'), "message", message)
	return append(b, '}', '\n')
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), '"', ':')
	return appendText(b, value)
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text) //nolint:errchkjson // a string always has JSON
	return append(b, quoted...)
}
