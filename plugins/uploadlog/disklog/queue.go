package disklog

import (
	"cmp"
	"math"
)

const (
	// groupBytes is how much one sync covers at most.
	groupBytes = 16 << 20
	// sharedGroupBytes is that while several owners write: whoever has a little to
	// write waits for all that is synced with it, and for what is before it.
	sharedGroupBytes = 1 << 20
	// crowdGroups is for how many groups an owner who wrote counts as still there.
	crowdGroups = 256
)

// queue holds what waits for the committer. Each owner has an order of his own;
// among owners it is start-time fair queueing: every request is marked with the
// bytes its owner will have written when it begins, and the least mark is next.
// So whoever writes little never waits behind all that another has brought.
type queue struct {
	lines map[string]*line
	// reached is the mark of the request that was taken last. An owner who comes
	// back begins there: what he did not write before is not saved up.
	reached int64

	groups, crowd int64  // groups counts them; while it is below crowd there are several owners.
	last          string // Owner of the newest request.
}

type line struct {
	owner    string
	mark     int64
	requests []*request
}

func (q *queue) add(r *request) {
	owner := ""
	if len(r.entries) > 0 {
		owner = r.entries[0].Owner
	}
	for i := range r.entries {
		r.bytes += int64(len(r.entries[i].Body))
	}
	if owner != "" { // Ticks are nobody's.
		if owner != q.last && q.last != "" {
			q.crowd = q.groups + crowdGroups
		}
		q.last = owner
	}
	at := q.lines[owner]
	if at == nil {
		at = &line{owner: owner, mark: q.reached}
		q.lines[owner] = at
	}
	if len(at.requests) == 0 {
		at.mark = max(at.mark, q.reached)
	}
	at.requests = append(at.requests, r)
}

// take takes a group: the request that is next, and those after it that fit.
func (q *queue) take() []*request {
	most := int64(groupBytes)
	if q.groups < q.crowd {
		most = sharedGroupBytes
	}
	return q.gather(math.MaxInt64, most)
}

// takeSmall takes what is next of that which has no more than so many bytes, together.
func (q *queue) takeSmall(most int64) []*request { return q.gather(most, most) }

// gather takes requests of at most so many bytes together; the first may have more.
func (q *queue) gather(first, most int64) (taken []*request) {
	bytes := int64(0)
	for at := q.next(first); at != nil; at = q.next(most - bytes) {
		first := at.requests[0]
		at.requests[0], at.requests = nil, at.requests[1:]
		taken, bytes = append(taken, first), bytes+first.bytes
		q.reached, at.mark = max(q.reached, at.mark), at.mark+max(1, first.bytes)
	}
	if len(taken) > 0 {
		q.groups++
	}
	return taken
}

// next is the line with the least mark whose request has no more than room bytes.
// Lines that hold nothing and have nothing against them are forgotten on the way.
func (q *queue) next(room int64) (next *line) {
	for owner, at := range q.lines {
		switch {
		case len(at.requests) == 0 && at.mark <= q.reached:
			delete(q.lines, owner)
		case len(at.requests) > 0 && at.requests[0].bytes <= room && (next == nil || at.before(next)):
			next = at
		}
	}
	return next
}

// before compares marks; among equals the smaller request comes first.
func (l *line) before(other *line) bool {
	return cmp.Or(cmp.Compare(l.mark, other.mark), cmp.Compare(l.requests[0].bytes, other.requests[0].bytes), cmp.Compare(l.owner, other.owner)) < 0
}
