package panes

// places finds decoded pieces by their ids. It holds the pieces' numbers alone,
// since whoever finds a piece looks at it anyway; a free slot is 0. Ids are hashes.
type places []int32

const fewestPlaces = 64

// find returns the number of the piece with that id, -1 when there is none.
func (p places) find(all []piece, id uint64) int32 {
	if len(p) == 0 {
		return -1
	}
	mask := uint64(len(p) - 1)
	for slot := id & mask; p[slot] > 0; slot = (slot + 1) & mask {
		if i := p[slot] - 1; all[i].id == id {
			return i
		}
	}
	return -1
}

// add notes the last one of all pieces, which has an id that is not there yet.
// Pieces that were removed have id 0 and keep their slot until the next growth.
func (p *places) add(all []piece) {
	if 2*len(all) <= len(*p) {
		p.put(all, len(all)-1)
		return
	}
	*p = make(places, max(fewestPlaces, 2*len(*p)))
	for i := range all {
		if all[i].id != 0 {
			p.put(all, i)
		}
	}
}

func (p *places) put(all []piece, i int) {
	mask := uint64(len(*p) - 1)
	slot := all[i].id & mask
	for (*p)[slot] > 0 {
		slot = (slot + 1) & mask
	}
	(*p)[slot] = int32(i + 1)
}
