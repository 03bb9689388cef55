package decode

import "encoding/binary"

// field is a key of an execution or of its history.
type field uint8

const (
	fieldUnknown field = iota
	fieldID
	fieldScope
	fieldName
	fieldLocation
	fieldFile
	fieldResult
	fieldFailureReason
	fieldFailureExpanded
	fieldHistory
	fieldTags
	fieldExternalID
	fieldDuration
)

func executionField(key string) field {
	switch key {
	case "id":
		return fieldID
	case "scope":
		return fieldScope
	case "name":
		return fieldName
	case "location":
		return fieldLocation
	case "file_name":
		return fieldFile
	case "result":
		return fieldResult
	case "failure_reason":
		return fieldFailureReason
	case "failure_expanded":
		return fieldFailureExpanded
	case "history":
		return fieldHistory
	case "tags":
		return fieldTags
	case "external_id":
		return fieldExternalID
	}
	return fieldUnknown
}

func historyField(key string) field {
	if key == "duration" {
		return fieldDuration
	}
	return fieldUnknown
}

// memoBytes is the longest key, with quotes, colon and space, that is remembered.
const memoBytes = 24

// memo remembers which key stood at a place of the object before. A collector
// writes its objects alike, so three compared words usually name the key.
type memo struct {
	words, masks [3]uint64
	size         int
	field        field
	spaced       bool
	tries        uint8
}

// matches says whether the remembered key stands at i. A memo that remembers
// nothing matches everywhere with size 0.
func (m *memo) matches(b []byte, i int) bool {
	if i+memoBytes > len(b) {
		return false
	}
	w := b[i : i+memoBytes : i+memoBytes]
	return (binary.LittleEndian.Uint64(w)^m.words[0])&m.masks[0]|
		(binary.LittleEndian.Uint64(w[8:])^m.words[1])&m.masks[1]|
		(binary.LittleEndian.Uint64(w[16:])^m.words[2])&m.masks[2] == 0
}

// learn remembers a key as it stands in the body: quotes, colon, at most one
// space. Anything else is not remembered.
func (m *memo) learn(key []byte, f field) {
	*m = memo{}
	n := len(key)
	if n > memoBytes || n < 3 {
		return
	}
	end := n
	if key[end-1] == ' ' {
		end--
	}
	if key[end-1] != ':' || key[end-2] != '"' {
		return
	}
	var text, mask [memoBytes]byte
	copy(text[:], key)
	for i := range n {
		if key[i] >= 0x80 {
			return
		}
		mask[i] = 0xff
	}
	for i := range m.words {
		m.words[i] = binary.LittleEndian.Uint64(text[8*i:])
		m.masks[i] = binary.LittleEndian.Uint64(mask[8*i:])
	}
	m.size, m.field, m.spaced = n, f, end != n
}

// known tells the key at i, the n-th of its object, when it is the remembered
// one, and the index of its value.
func (s *scanner) known(memos []memo, n, i int) (f field, value int, ok bool) {
	if n >= len(memos) || memos[n].size == 0 || !memos[n].matches(s.b, i) {
		return fieldUnknown, 0, false
	}
	if memos[n].spaced {
		s.spaced = true
	}
	return memos[n].field, s.space(i + memos[n].size), true
}

// keyField is known for a key that is another, which is remembered.
func (r *reader) keyField(memos []memo, n, i int, named func(string) field) (field, int) {
	key, value := r.key(i)
	if value < 0 {
		return fieldUnknown, -1
	}
	f := named(key)
	if n < len(memos) {
		memos[n].learn(r.b[i:value], f)
	}
	return f, value
}
