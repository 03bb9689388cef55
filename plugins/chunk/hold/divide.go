package hold

// Divisible is a table that is shared out over more partitions: a *state.Table.
type Divisible interface {
	Table
	Timers(yield func(id uint64, due int64) bool)
}

// Divide drops the payloads of suites that are not mine. Each payload has a timer.
func Divide(t Divisible, mine func(org, suite string) bool) {
	foreign := make(map[uint64]header)
	t.Timers(func(id uint64, _ int64) bool {
		if h, known := readHeader(t, id); known && !mine(h.Org, h.Suite) {
			foreign[id] = h
		}
		return true
	})
	for id, h := range foreign {
		forget(t, id, h)
	}
}
