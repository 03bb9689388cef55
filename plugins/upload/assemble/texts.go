package assemble

import "unsafe"

// textsBytes is how much room is allocated at once.
const textsBytes = 8 << 10

// Texts makes texts of several parts, many of them in one allocation.
type Texts struct{ free []byte }

// Join is the parts as one text.
func (t *Texts) Join(parts ...string) string {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	if cap(t.free)-len(t.free) < size {
		t.free = make([]byte, 0, max(textsBytes, size))
	}
	text := t.free[len(t.free):]
	for _, part := range parts {
		text = append(text, part...)
	}
	t.free = text[len(text):]
	return unsafe.String(unsafe.SliceData(text), len(text))
}
