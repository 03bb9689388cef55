package rows

// testIndex numbers tests, in 24 bytes a test: an open-addressing table of
// numbers beside the list of identities. Identities are hashes already.
type testIndex struct {
	slots  []uint32 // number, 0 is free
	ids    []uint64 // by number
	places []uint64 // hash of location, file and owner, by number
	last   uint32
}

const firstSlots = 1 << 10

func newTestIndex() testIndex {
	return testIndex{slots: make([]uint32, firstSlots), ids: make([]uint64, 1), places: make([]uint64, 1)}
}

// find returns the test's number, or 0. Uploads of a suite tend to come in one
// order, so the test after the last one found is tried first: it spares the
// cache misses of the table.
func (t *testIndex) find(id uint64) uint32 {
	if next := int(t.last) + 1; next < len(t.ids) && t.ids[next] == id {
		t.last = uint32(next)
		return t.last
	}
	mask := uint64(len(t.slots) - 1)
	for i := id & mask; ; i = (i + 1) & mask {
		number := t.slots[i]
		if number == 0 {
			return 0
		}
		if t.ids[number] == id {
			t.last = number
			return number
		}
	}
}

// set gives the test its number, which must be free and beyond all others.
func (t *testIndex) set(number uint32, id, place uint64) {
	for int(number) > len(t.ids) {
		t.ids = append(t.ids, 0)
		t.places = append(t.places, 0)
	}
	t.ids = append(t.ids, id)
	t.places = append(t.places, place)
	t.last = number
	if len(t.ids)*2 > len(t.slots) {
		t.rehash(len(t.slots) * 2)
		return
	}
	t.put(number)
}

func (t *testIndex) rehash(size int) {
	t.slots = make([]uint32, size)
	for number := 1; number < len(t.ids); number++ {
		if t.ids[number] != 0 {
			t.put(uint32(number))
		}
	}
}

func (t *testIndex) put(number uint32) {
	mask := uint64(len(t.slots) - 1)
	i := t.ids[number] & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = number
}
