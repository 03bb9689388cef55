package disklog

import (
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Entry is what is appended.
type Entry struct {
	Kind testengine.Kind
	// Key recognises a duplicate; an entry without one is never a duplicate.
	Key Key
	// Lane is the entry's lane, as LaneOf gives it.
	Lane int
	// ReceivedAt is when the door received it, in unix milliseconds.
	ReceivedAt int64
	Meta       []Pair
	// Owner is whose entry it is: one owner's entries keep their order, and several
	// owners take turns. All entries of an Append are of one. It is not stored.
	Owner string
	// Body stays as it is until the entry is answered; the log keeps no reference to
	// it, unless it is Given: then it stays as it is for ever.
	Body  []byte
	Given bool
	// Number is set by the log before the entry is answered.
	Number int64
}

// Key names an upload by content. Cut and Chunk are for uploads that arrive in parts.
type Key struct {
	Upload string
	Cut    uint32
	Chunk  uint32
}

// Pair is a metadata value: text, or a number.
type Pair struct {
	Name     string
	Text     string
	Number   int64
	IsNumber bool
}

// Record is an entry as the log gives it back. Body and Meta are read-only.
type Record struct {
	Number int64
	Lane   int
	// Time is T: the greatest received_at of this and all earlier entries.
	Time int64
	Kind testengine.Kind
	Key  Key
	Meta []Pair
	Body []byte

	frameBytes int64
}

// size is what the record takes in its segment.
func (r *Record) size() int64 { return r.frameBytes }
