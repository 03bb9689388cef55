package otlp

import (
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// jsonReader reads OTLP/JSON: protobuf's JSON with hexadecimal ids, numbers of
// 64 bits as strings or numbers.
type jsonReader struct {
	w *decode.Walker
	r *request
}

func (j *jsonReader) read() error {
	start, found := j.w.Here(), j.w.Kind() == '{'
	for range j.w.Each("resourceSpans") {
		j.resourceSpans()
	}
	if !found {
		j.w.Fail(start, "an object with resourceSpans is expected")
	}
	return j.w.End()
}

func (j *jsonReader) resourceSpans() {
	n := len(j.r.resources)
	j.r.resources = append(j.r.resources, resource{})
	for key := range j.w.Members() {
		switch key {
		case "resource":
			for range j.w.Member("attributes") {
				j.r.resources[n].attributes = j.attributes()
			}
		case "scopeSpans":
			for range j.w.Elements() {
				for range j.w.Each("spans") {
					j.span(n)
				}
			}
		}
	}
}

func (j *jsonReader) span(resource int) {
	s := span{resource: int32(resource)}
	for key := range j.w.Members() {
		switch key {
		case "traceId":
			s.trace = j.w.Text()
		case "spanId":
			s.id = j.w.Text()
		case "parentSpanId":
			s.parent = j.w.Text()
		case "name":
			s.name = j.w.Text()
		case "startTimeUnixNano":
			s.start = j.unsigned()
		case "endTimeUnixNano":
			s.end = j.unsigned()
		case "attributes":
			s.attributes = j.attributes()
		case "events":
			s.events.from = int32(len(j.r.events))
			for range j.w.Elements() {
				j.event()
			}
			s.events.to = int32(len(j.r.events))
		case "status":
			j.status(&s)
		}
	}
	j.r.spans = append(j.r.spans, s)
}

func (j *jsonReader) status(s *span) {
	for key := range j.w.Members() {
		switch key {
		case "message":
			s.message = j.w.Text()
		case "code":
			code := strings.Trim(j.w.Raw(), `"`)
			s.failed = code == "2" || code == "STATUS_CODE_ERROR"
		}
	}
}

func (j *jsonReader) event() {
	var e event
	for key := range j.w.Members() {
		switch key {
		case "timeUnixNano":
			e.time = j.unsigned()
		case "name":
			e.name = j.w.Text()
		case "attributes":
			e.attributes = j.attributes()
		}
	}
	j.r.events = append(j.r.events, e)
}

// unsigned is a number of 64 bits; what is none is 0.
func (j *jsonReader) unsigned() uint64 {
	value, err := strconv.ParseUint(strings.Trim(j.w.Raw(), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return value
}

func (j *jsonReader) attributes() piece {
	at := piece{from: int32(len(j.r.attributes))}
	for range j.w.Elements() {
		var a attribute
		for key := range j.w.Members() {
			switch key {
			case "key":
				a.key = j.w.Text()
			case "value":
				a.value = j.anyValue()
			}
		}
		j.r.attributes = append(j.r.attributes, a)
	}
	at.to = int32(len(j.r.attributes))
	return at
}

func (j *jsonReader) anyValue() (text string) {
	for key := range j.w.Members() {
		switch key {
		case "stringValue":
			text = j.w.Text()
		case "intValue", "doubleValue", "boolValue":
			if kind := j.w.Kind(); kind == '"' {
				text = j.w.Text()
			} else if kind != '{' && kind != '[' && kind != 'n' {
				text = j.w.Raw()
			}
		}
	}
	return text
}
