package detect

import (
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The classes of runs: medians are kept for each, and two are lines of code
// that the filter can follow.
const (
	classDefault = iota
	classQueue
	classOther
	classes
)

// suite is a suite of the lane. It is decoded once and written back at the end
// of each record that changed it.
type suite struct {
	seed     uint64
	org      string
	name     string
	settings *Settings

	nextDense    uint32
	nextSlot     uint32 // slots count from 1
	oldestSlot   uint32 // the oldest commit that is remembered
	oldestPasses uint32 // the oldest commit whose passes are remembered
	branch       string // the default branch
	named        bool   // uploads name it themselves
	lastDefault  int64  // when the default branch was last seen
	newest       [2]uint32
	counts       [classes]recentCounts
	open         []waitingRun // runs of the line not yet observed, oldest commit first

	incident     bool
	incidentEnds int64
	incidents    uint32

	dirty bool
}

// waitingRun is a run of the line whose observations wait for older commits'.
type waitingRun struct {
	key    uint64
	commit uint32
	closed bool
}

// maxWaiting bounds the runs of a suite that wait for each other. They are part of
// the suite's value, which the state takes up to 64 KiB.
const maxWaiting = 2048

// recentCounts are the failing tests of the last runs of a class, as a ring.
type recentCounts struct {
	next   uint8
	values []uint16
}

const keptRuns = 100

func (c *recentCounts) add(failures int) {
	v := uint16(min(failures, 65535))
	if len(c.values) < keptRuns {
		c.values = append(c.values, v)
		return
	}
	c.values[c.next] = v
	c.next = (c.next + 1) % keptRuns
}

// median is the middle of the counts, 0 when there are none.
func (c *recentCounts) median() float64 {
	n := len(c.values)
	if n == 0 {
		return 0
	}
	var sorted [keptRuns]uint16
	for i, v := range c.values {
		at := i
		for at > 0 && sorted[at-1] > v {
			sorted[at] = sorted[at-1]
			at--
		}
		sorted[at] = v
	}
	if n%2 == 1 {
		return float64(sorted[n/2])
	}
	return (float64(sorted[n/2-1]) + float64(sorted[n/2])) / 2
}

func (s *suite) append(w *wire.Writer) {
	w.Byte(kindSuite)
	w.U64(s.seed)
	w.Text(s.org)
	w.Text(s.name)
	w.U32(s.nextDense)
	w.U32(s.nextSlot)
	w.U32(s.oldestSlot)
	w.U32(s.oldestPasses)
	w.Text(s.branch)
	w.Byte(byte(flag(s.named) | flag(s.incident)<<1))
	w.Int(s.lastDefault)
	w.U32(s.newest[0])
	w.U32(s.newest[1])
	w.Int(s.incidentEnds)
	w.U32(s.incidents)
	for i := range s.counts {
		w.Byte(s.counts[i].next)
		w.Byte(byte(len(s.counts[i].values)))
		for _, v := range s.counts[i].values {
			w.U16(v)
		}
	}
	w.Int(int64(len(s.open)))
	for _, o := range s.open {
		w.U64(o.key)
		w.U32(o.commit)
		w.Byte(byte(flag(o.closed)))
	}
}

func (s *suite) read(value []byte) {
	b := wire.Reader{Bytes: value}
	b.Byte()
	s.seed = b.U64()
	s.org, s.name = b.Text(), b.Text()
	s.nextDense, s.nextSlot, s.oldestSlot, s.oldestPasses = b.U32(), b.U32(), b.U32(), b.U32()
	s.branch = b.Text()
	flags := b.Byte()
	s.named, s.incident = flags&1 != 0, flags&2 != 0
	s.lastDefault = b.Int()
	s.newest[0], s.newest[1] = b.U32(), b.U32()
	s.incidentEnds, s.incidents = b.Int(), b.U32()
	for i := range s.counts {
		s.counts[i].next = b.Byte()
		for range b.Byte() {
			s.counts[i].values = append(s.counts[i].values, b.U16())
		}
	}
	for range b.Int() {
		s.open = append(s.open, waitingRun{key: b.U64(), commit: b.U32(), closed: b.Byte() == 1})
	}
}

// class says which line a branch belongs to, and learns which branch is the
// default one: the one that uploads name, once it is seen; until then, and
// where they name none, the best known of those that are seen.
func (s *suite) class(upload *testengine.Upload) int {
	branch := upload.Branch
	switch {
	case branch == "" || branch == s.branch || s.named && upload.DefaultBranch == s.branch:
	case branch == upload.DefaultBranch:
		s.branch, s.named, s.dirty = branch, true, true
	default:
		if place, ok := s.settings.preference(branch); ok && !s.named {
			if known, has := s.settings.preference(s.branch); !has || place < known {
				s.branch, s.dirty = branch, true
			}
		}
	}
	switch {
	case branch == "":
		return classOther
	case branch == s.branch:
		return classDefault
	case s.settings.isQueue(branch):
		return classQueue
	}
	return classOther
}

// queueCounts says whether the filter follows the merge queue: only where the
// default branch itself is not tested.
func (s *suite) queueCounts(now int64) bool {
	return s.lastDefault == 0 || now-s.lastDefault > 7*day
}
