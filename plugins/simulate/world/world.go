package world

import "container/heap"

// maxRemembered bounds the regressions and storms that the truth keeps, newest last.
const maxRemembered = 10_000

// Upload is one delivery of a collector.
type Upload struct {
	// At is the world time at which it arrives; it never decreases.
	At         int64
	Suite      string
	Executions int
	Body       []byte
}

// World writes uploads in order of time, without end. It is not goroutine-safe.
type World struct {
	config Config
	suites []*suite
	hosts  []host

	events   events
	sequence uint64
	// offset turns world time into real time, for the truth alone.
	offset int64

	storms *dice
	active []*Storm

	truthStorms []*Storm
	truthBreaks []*Regression

	// ready is the upload that the event at hand produced.
	ready    Upload
	isReady  bool
	silent   bool
	touching []*Storm
	outcomes []outcome
}

// New makes a world; the configuration was checked.
func New(config Config) (*World, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	w := &World{config: config, storms: newDice(config.Seed, 3)}
	w.hosts = newHosts(config.Hosts, newDice(config.Seed, 4))
	for i := range config.Suites {
		s := newSuite(w, i)
		w.suites = append(w.suites, s)
		w.schedule(s.dice.between(0, Hour), s.open)
		w.schedule(2*Hour+30*Minute+s.dice.between(0, Hour), s.nightly)
	}
	w.planStorm(0)
	return w, nil
}

// SetOffset says that world time 0 is that real moment (unix milliseconds). It
// changes what the truth says about times, not a byte of the uploads.
func (w *World) SetOffset(offset int64) { w.offset = offset }

// Next returns the next upload. Its body belongs to the caller.
func (w *World) Next() Upload {
	for !w.isReady {
		w.step()
	}
	w.isReady = false
	upload := w.ready
	w.ready = Upload{}
	return upload
}

// Skip lets the world go on to the given time without writing uploads: Next
// then returns the first one later than that.
func (w *World) Skip(until int64) {
	w.silent = true
	for len(w.events) > 0 && w.events[0].at <= until {
		w.step()
		w.isReady = false
	}
	w.silent = false
}

func (w *World) step() {
	next, _ := heap.Pop(&w.events).(event)
	next.act(next.at)
}

// event is something that will happen at a time.
type event struct {
	at       int64
	sequence uint64
	act      func(at int64)
}

func (w *World) schedule(at int64, act func(at int64)) {
	w.sequence++
	heap.Push(&w.events, event{at: at, sequence: w.sequence, act: act})
}

// events is a heap by time, first planned first.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].sequence < e[j].sequence
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push is for container/heap.
func (e *events) Push(x any) {
	if next, ok := x.(event); ok {
		*e = append(*e, next)
	}
}

// Pop is for container/heap.
func (e *events) Pop() any {
	last := len(*e) - 1
	next := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return next
}

func appendBounded[T any](list []T, value T) []T {
	if len(list) >= maxRemembered {
		list = append(list[:0], list[len(list)-maxRemembered/2:]...)
	}
	return append(list, value)
}
