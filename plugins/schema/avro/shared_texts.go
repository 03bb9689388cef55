package avro

import (
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// places are where an execution's texts stand in the block's lists.
type places struct{ scope, file int32 }

// sharedTexts are the lists of a block that is being written.
type sharedTexts struct {
	scopes, files textList
	places        []places
}

var sharedPool = sync.Pool{New: func() any { return new(sharedTexts) }}

func (s *sharedTexts) collect(executions []testengine.Execution) {
	s.scopes.begin()
	s.files.begin()
	if cap(s.places) < len(executions) {
		s.places = make([]places, len(executions))
	}
	s.places = s.places[:len(executions)]
	for i := range executions {
		e := &executions[i]
		s.places[i] = places{scope: s.scopes.place(e.Scope), file: s.files.place(e.File)}
	}
}

// release lets go of the block's texts, which may hold a whole body.
func (s *sharedTexts) release() {
	clear(s.scopes.texts)
	clear(s.files.texts)
	sharedPool.Put(s)
}

// textList is a list of texts without neighbours that are equal. A text that
// comes back later is found again when its slot was not taken meanwhile; else
// it stands in the list twice, which costs only its bytes.
type textList struct {
	texts []string
	last  int32
	slots [textSlots]int32 // Place in texts plus 1.
}

const textSlots = 256

func (l *textList) begin() {
	l.texts = l.texts[:0]
	l.last = -1
	clear(l.slots[:])
}

func (l *textList) place(text string) int32 {
	if l.last >= 0 && l.texts[l.last] == text {
		return l.last
	}
	slot := &l.slots[testengine.Hash(0, text)%textSlots]
	if at := *slot - 1; at >= 0 && l.texts[at] == text {
		l.last = at
		return at
	}
	l.texts = append(l.texts, text)
	l.last = int32(len(l.texts) - 1)
	*slot = l.last + 1
	return l.last
}
