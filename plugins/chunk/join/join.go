// Package join makes payloads of their pieces again: in any order, with pieces
// that come twice, within a budget of bytes and of time.
package join

import (
	"container/list"
	"errors"
	"time"
)

// Why a piece or a payload cannot be joined.
var (
	// ErrTimeout is a payload that was not whole in time.
	ErrTimeout = errors.New("not all pieces came in time")
	// ErrBudget is a payload given up because open ones hold too many bytes.
	ErrBudget = errors.New("open payloads hold too many bytes")
	// ErrMismatch is a piece that does not fit to those before it.
	ErrMismatch = errors.New("the piece does not fit to the others of its payload")
	// ErrNames is a payload whose id, owner and checksum are too long to be kept.
	ErrNames = errors.New("the payload's id, org, suite and checksum are longer than 16 KiB")
	// ErrChecksum is a payload that is not what was cut.
	ErrChecksum = errors.New("the payload's checksum or length is another one")
)

// Piece is one piece of a payload. T is what the caller needs to have back.
type Piece[T any] struct {
	Source, ID   string
	Index, Count int
	// Bytes and Checksum are those of the whole payload.
	Bytes    int64
	Checksum string
	Content  []byte
	Ticket   T
}

// Whole is a payload that is whole or, with an error, given up.
type Whole[T any] struct {
	ID string
	// Content is the payload, nil with an error.
	Content []byte
	// Pieces are all that came, in order of their index; nil for those missing.
	Pieces []*Piece[T]
	// Repeated are the tickets of pieces that came more than once.
	Repeated []T
	Err      error
}

// Limits bound what is held.
type Limits struct {
	// Timeout is from the first piece to the last.
	Timeout time.Duration
	// SourceBytes bounds the open payloads of one source.
	SourceBytes int64
	// MaxPieces bounds the count that a piece may claim.
	MaxPieces int
	// Remembered is how many payloads that were whole are remembered, to drop pieces that come again.
	Remembered int
}

// Joiner holds open payloads. It is not safe for concurrent use.
type Joiner[T any] struct {
	limits   Limits
	checksum func([]byte) string
	open     map[string]*payload[T]
	// byAge has the open payloads, oldest first.
	byAge   *list.List
	sources map[string]int64
	done    map[string]*list.Element
	doneAge *list.List
}

type payload[T any] struct {
	Whole[T]
	source  string
	begun   time.Time
	missing int
	held    int64
	bytes   int64
	sum     string
	age     *list.Element
}

// New returns an empty joiner. checksum must be that of whoever cut.
func New[T any](limits Limits, checksum func([]byte) string) *Joiner[T] {
	return &Joiner[T]{
		limits: limits, checksum: checksum,
		open: map[string]*payload[T]{}, byAge: list.New(), sources: map[string]int64{},
		done: map[string]*list.Element{}, doneAge: list.New(),
	}
}

// Add takes a piece. It returns the payloads that end by it: the one that is
// whole now, or those given up. again says that the piece's payload was whole
// before, so that the piece is not needed.
func (j *Joiner[T]) Add(now time.Time, piece Piece[T]) (ended []Whole[T], again bool) {
	if _, whole := j.done[piece.ID]; whole {
		return nil, true
	}
	p := j.open[piece.ID]
	if p == nil {
		if piece.Count < 1 || piece.Count > j.limits.MaxPieces {
			return misfit(piece), false
		}
		p = j.begin(now, piece)
	}
	switch {
	case piece.Count != len(p.Pieces) || piece.Index < 0 || piece.Index >= piece.Count || piece.Checksum != p.sum || piece.Bytes != p.bytes:
		return misfit(piece), false
	case p.Pieces[piece.Index] != nil:
		p.Repeated = append(p.Repeated, piece.Ticket)
		return nil, false
	}
	p.Pieces[piece.Index] = &piece
	p.missing--
	p.held += int64(len(piece.Content))
	j.sources[p.source] += int64(len(piece.Content))
	if p.missing == 0 {
		j.end(p)
		return []Whole[T]{j.whole(p)}, false
	}
	return j.overBudget(p.source), false
}

func misfit[T any](piece Piece[T]) []Whole[T] {
	return []Whole[T]{{ID: piece.ID, Pieces: []*Piece[T]{&piece}, Err: ErrMismatch}}
}

func (j *Joiner[T]) begin(now time.Time, piece Piece[T]) *payload[T] {
	p := &payload[T]{
		Whole:  Whole[T]{ID: piece.ID, Pieces: make([]*Piece[T], piece.Count)},
		source: piece.Source, begun: now, missing: piece.Count, bytes: piece.Bytes, sum: piece.Checksum,
	}
	p.age = j.byAge.PushBack(p)
	j.open[p.ID] = p
	return p
}

// end takes the payload out of what is held.
func (j *Joiner[T]) end(p *payload[T]) {
	delete(j.open, p.ID)
	j.byAge.Remove(p.age)
	if j.sources[p.source] -= p.held; j.sources[p.source] == 0 {
		delete(j.sources, p.source)
	}
}

func (j *Joiner[T]) whole(p *payload[T]) Whole[T] {
	w := p.Whole
	if len(w.Pieces) == 1 {
		w.Content = w.Pieces[0].Content
	} else {
		w.Content = make([]byte, 0, p.held)
		for _, piece := range w.Pieces {
			w.Content = append(w.Content, piece.Content...)
		}
	}
	if int64(len(w.Content)) != p.bytes || j.checksum(w.Content) != p.sum {
		w.Content, w.Err = nil, ErrChecksum
		return w
	}
	j.done[w.ID] = j.doneAge.PushBack(w.ID)
	for len(j.done) > j.limits.Remembered {
		oldest, _ := j.doneAge.Remove(j.doneAge.Front()).(string)
		delete(j.done, oldest)
	}
	return w
}

// Forget has the payload's pieces taken anew: what was made of them came to nothing.
func (j *Joiner[T]) Forget(id string) {
	if at, known := j.done[id]; known {
		j.doneAge.Remove(at)
		delete(j.done, id)
	}
}

// overBudget gives up the oldest payloads of a source until it is within its budget.
func (j *Joiner[T]) overBudget(source string) (ended []Whole[T]) {
	for at := j.byAge.Front(); at != nil && j.sources[source] > j.limits.SourceBytes; {
		p, _ := at.Value.(*payload[T])
		at = at.Next()
		if p.source == source {
			ended = append(ended, j.giveUp(p, ErrBudget))
		}
	}
	return ended
}

func (j *Joiner[T]) giveUp(p *payload[T], err error) Whole[T] {
	j.end(p)
	p.Err = err
	return p.Whole
}

// Expired gives up the payloads whose time is over.
func (j *Joiner[T]) Expired(now time.Time) (ended []Whole[T]) {
	for at := j.byAge.Front(); at != nil; at = j.byAge.Front() {
		p, _ := at.Value.(*payload[T])
		if now.Sub(p.begun) < j.limits.Timeout {
			break
		}
		ended = append(ended, j.giveUp(p, ErrTimeout))
	}
	return ended
}

// NextExpiry is when the oldest open payload's time is over; ok is false when none is open.
func (j *Joiner[T]) NextExpiry() (at time.Time, ok bool) {
	oldest := j.byAge.Front()
	if oldest == nil {
		return time.Time{}, false
	}
	p, _ := oldest.Value.(*payload[T])
	return p.begun.Add(j.limits.Timeout), true
}

// Open is how many payloads are open, and how many bytes of them are held.
func (j *Joiner[T]) Open() (payloads int, bytes int64) {
	for _, held := range j.sources {
		bytes += held
	}
	return len(j.open), bytes
}
