package otlp

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// protoReader reads the few messages of opentelemetry.proto.trace.v1 that are
// needed. It is written by hand, so that texts alias the body and unknown fields
// cost nothing: the generated code needs twice as long.
type protoReader struct {
	b   []byte
	r   *request
	err error
}

// The types of a field on the wire.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// field is one field of a message: a number, or the place of its bytes.
type field struct {
	number   int
	wire     int
	value    uint64
	from, to int
}

func (p *protoReader) fail(at int, reason string) {
	if p.err == nil {
		p.err = broken("protobuf", at, reason)
	}
}

// next reads the field at i of a message that ends at end; ok is false at its
// end and at a mistake.
func (p *protoReader) next(i, end int) (f field, next int, ok bool) {
	if i >= end || p.err != nil {
		return f, i, false
	}
	key, n := p.varint(i, end)
	if n < 0 {
		return f, i, false
	}
	f.number, f.wire = int(key>>3), int(key&7)
	if key>>3 == 0 || key>>3 > 1<<29-1 {
		p.fail(i, "this is no number of a field")
		return f, i, false
	}
	switch f.wire {
	case wireVarint:
		f.value, n = p.varint(n, end)
		return f, n, n >= 0
	case wire64:
		if n+8 <= end {
			f.value = binary.LittleEndian.Uint64(p.b[n:])
			return f, n + 8, true
		}
	case wire32:
		if n+4 <= end {
			f.value = uint64(binary.LittleEndian.Uint32(p.b[n:]))
			return f, n + 4, true
		}
	case wireBytes:
		size, from := p.varint(n, end)
		if from < 0 {
			return f, i, false
		}
		if size <= uint64(end-from) {
			f.from, f.to = from, from+int(size)
			return f, f.to, true
		}
	default:
		p.fail(i, "this type of field does not exist")
		return f, i, false
	}
	p.fail(end, "it ends too early")
	return f, i, false
}

func (p *protoReader) varint(i, end int) (value uint64, next int) {
	value, n := binary.Uvarint(p.b[i:end])
	if n > 0 {
		return value, i + n
	}
	if n == 0 {
		p.fail(end, "it ends too early")
	} else {
		p.fail(i, "a number is too long")
	}
	return 0, -1
}

// text is the field's bytes as valid UTF-8.
func (p *protoReader) text(f field) string {
	if f.wire != wireBytes {
		return ""
	}
	text := p.id(f)
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}

// id is the field's bytes as they are.
func (p *protoReader) id(f field) string {
	raw := p.b[f.from:f.to]
	return unsafe.String(unsafe.SliceData(raw), len(raw))
}

// read reads an ExportTraceServiceRequest.
func (p *protoReader) read() {
	for f, i, ok := p.next(0, len(p.b)); ok; f, i, ok = p.next(i, len(p.b)) {
		if f.number == 1 && f.wire == wireBytes {
			p.resourceSpans(f.from, f.to)
		}
	}
}

func (p *protoReader) resourceSpans(i, end int) {
	n := len(p.r.resources)
	p.r.resources = append(p.r.resources, resource{})
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		switch {
		case f.wire != wireBytes:
		case f.number == 1:
			p.r.resources[n].attributes = p.attributes(f.from, f.to, 1)
		case f.number == 2:
			p.scopeSpans(f.from, f.to, n)
		}
	}
}

func (p *protoReader) scopeSpans(i, end, resource int) {
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		if f.number == 2 && f.wire == wireBytes {
			p.span(f.from, f.to, resource)
		}
	}
}

// span reads a span. Its attributes may stand between its events, so they are
// read by a walk of their own.
func (p *protoReader) span(start, end, resource int) {
	s := span{resource: int32(resource)}
	s.attributes = p.attributes(start, end, 9)
	s.events.from = int32(len(p.r.events))
	for f, i, ok := p.next(start, end); ok; f, i, ok = p.next(i, end) {
		switch f.number {
		case 1:
			s.trace = p.id(f)
		case 2:
			s.id = p.id(f)
		case 4:
			s.parent = p.id(f)
		case 5:
			s.name = p.text(f)
		case 7:
			s.start = f.value
		case 8:
			s.end = f.value
		case 11:
			if f.wire == wireBytes {
				p.event(f.from, f.to)
			}
		case 15:
			if f.wire == wireBytes {
				p.status(f.from, f.to, &s)
			}
		}
	}
	s.events.to = int32(len(p.r.events))
	p.r.spans = append(p.r.spans, s)
}

const statusError = 2

func (p *protoReader) status(i, end int, s *span) {
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		switch f.number {
		case 2:
			s.message = p.text(f)
		case 3:
			s.failed = f.wire == wireVarint && f.value == statusError
		}
	}
}

func (p *protoReader) event(start, end int) {
	e := event{attributes: p.attributes(start, end, 3)}
	for f, i, ok := p.next(start, end); ok; f, i, ok = p.next(i, end) {
		switch f.number {
		case 1:
			e.time = f.value
		case 2:
			e.name = p.text(f)
		}
	}
	p.r.events = append(p.r.events, e)
}

// attributes collects the KeyValues of a message that have that number.
func (p *protoReader) attributes(i, end, number int) piece {
	at := piece{from: int32(len(p.r.attributes))}
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		if f.number == number && f.wire == wireBytes {
			p.r.attributes = append(p.r.attributes, p.keyValue(f.from, f.to))
		}
	}
	at.to = int32(len(p.r.attributes))
	return at
}

func (p *protoReader) keyValue(i, end int) (a attribute) {
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		switch {
		case f.wire != wireBytes:
		case f.number == 1:
			a.key = p.text(f)
		case f.number == 2:
			a.value = p.anyValue(f.from, f.to)
		}
	}
	return a
}

func (p *protoReader) anyValue(i, end int) (text string) {
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		switch {
		case f.number == 1 && f.wire == wireBytes:
			text = p.text(f)
		case f.number == 2 && f.wire == wireVarint:
			text = strconv.FormatBool(f.value != 0)
		case f.number == 3 && f.wire == wireVarint:
			text = strconv.FormatInt(int64(f.value), 10)
		case f.number == 4 && f.wire == wire64:
			text = strconv.FormatFloat(math.Float64frombits(f.value), 'g', -1, 64)
		}
	}
	return text
}
