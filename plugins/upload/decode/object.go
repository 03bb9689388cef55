package decode

import "iter"

// objectPlaces is of how many members an object is remembered.
const objectPlaces = 16

// An Object is what a reader knows of objects of one kind: which keys it wants, and
// how the one before was written. It belongs to one Walker.
type Object struct {
	wanted []string
	runs   [objectPlaces]run
}

// ObjectOf is an object of which members with these keys are read.
func ObjectOf(wanted ...string) *Object { return &Object{wanted: wanted} }

// Of is Members that yields the wanted keys alone. Others are passed over, in one
// comparison as far as they come again as they were.
func (w *Walker) Of(o *Object) iter.Seq[string] {
	return func(yield func(string) bool) {
		i, more := w.enter('{', '}')
		// What is remembered nests no deeper than this.
		deep := w.depth+memberBytes/2 > w.maxDepth
		var before *run // the one in front, when all of it has come again
		for n := 0; more; n++ {
			r := &o.runs[min(n, objectPlaces-1)]
			// What is remembered goes over no end of a line.
			same := alike(w.b, i, &r.text)
			if r.again(same) && !deep {
				r.proved = true
				n += int(r.others)
				i, more = w.over(r, i)
				before = before.with(r)
				continue
			}
			before = nil
			wanted, value := w.wantedKey(o, r, same, i)
			if value < 0 {
				return
			}
			from := i
			w.i = value
			switch {
			case wanted == fieldUnknown && !deep:
				i, more = w.pass(&r.place, from, value)
			case wanted != fieldUnknown && !yield(o.wanted[wanted-1]):
				return
			default:
				i, more = w.next(value, '}')
			}
			if w.err != nil {
				return
			}
		}
	}
}

// wantedKey returns which wanted key stands at i, from 1 on, and the index of its value.
func (w *Walker) wantedKey(o *Object, r *run, same, i int) (wanted field, value int) {
	if r.named(same) {
		return r.field, w.space(i + int(r.key))
	}
	key, value := w.rawKey(i)
	if value < 0 {
		return fieldUnknown, value
	}
	for n := range o.wanted {
		if string(key) == o.wanted[n] {
			wanted = field(n + 1)
		}
	}
	if r.tries < mostTries {
		r.learnKey(w.b[i:value], wanted)
		r.others = 0
	}
	return wanted, value
}

// over stands behind a run that begins at i.
func (w *Walker) over(r *run, i int) (next int, more bool) {
	if i += int(r.member); !r.last {
		return w.space(i), true
	}
	w.i = i
	w.depth--
	return i, false
}

// run is a place of an object with the members that were passed over there.
type run struct {
	place

	others uint8 // how many there are besides the first
}

// with makes one run of two that stand side by side and have come again, where it
// is not too long. It returns the one that the next may be added to.
func (r *run) with(next *run) *run {
	if r == nil || r == next || r.last || int(r.member)+int(next.member) > memberBytes {
		return next
	}
	copy(r.text[r.member:], next.text[:next.member])
	r.member += next.member
	r.others += next.others + 1
	r.last = next.last
	r.spaced = r.spaced || next.spaced
	return r
}
