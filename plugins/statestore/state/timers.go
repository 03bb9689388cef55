package state

// timers is one due time per id. The heap may hold times that were changed
// since; due, the truth, says so. It is rebuilt when most of it is stale.
type timers struct {
	due  index
	heap []timer
}

type timer struct {
	due int64
	id  uint64
}

const (
	timerShardBits = 2
	staleFloor     = 64
)

func newTimers() timers { return timers{due: newIndex(timerShardBits)} }

func (t *timers) set(id uint64, due int64) {
	word := cellWord(uint64(due))
	if t.due.set(id, word) == word {
		return
	}
	t.push(timer{due, id})
	if len(t.heap) > 2*t.due.n+staleFloor {
		t.rebuild()
	}
}

func (t *timers) cancel(id uint64) bool { return t.due.remove(id) != 0 }

// first returns the earliest timer in order (due, id).
func (t *timers) first() (first timer, ok bool) {
	for len(t.heap) > 0 {
		first = t.heap[0]
		if t.due.get(first.id) == cellWord(uint64(first.due)) {
			return first, true
		}
		t.pop()
	}
	return timer{}, false
}

func (t *timers) rebuild() {
	t.heap = t.heap[:0]
	t.due.each(func(id, word uint64) bool {
		t.heap = append(t.heap, timer{int64(cellOf(word)), id})
		return true
	})
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.sink(i, t.heap[i])
	}
}

func (a timer) before(b timer) bool { return a.due < b.due || a.due == b.due && a.id < b.id }

// push and pop keep a binary heap without boxing.
func (t *timers) push(add timer) {
	h := append(t.heap, add)
	i := len(h) - 1
	for i > 0 && add.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = add
	t.heap = h
}

func (t *timers) pop() {
	last := len(t.heap) - 1
	moved := t.heap[last]
	t.heap = t.heap[:last]
	if last > 0 {
		t.sink(0, moved)
	}
}

// sink places moved at i or below.
func (t *timers) sink(i int, moved timer) {
	h := t.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(moved) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = moved
}
