package decode

import "iter"

// Member yields where an object has that key, once as a rule, the walker standing
// at the value. Other members are passed over.
func (w *Walker) Member(key string) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for name := range w.Members() {
			if name == key && !yield(w.Here()) {
				return
			}
		}
	}
}

// Each yields the elements of the array that an object has under that key.
func (w *Walker) Each(key string) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for range w.Member(key) {
			for at := range w.Elements() {
				if !yield(at) {
					return
				}
			}
		}
	}
}

// Later passes over a value that Reread reads afterwards, and gives its place. Of an
// object or an array it checks no more than quotes and brackets: reading checks the
// rest. before is where the same key stood already, which is checked now.
func (w *Walker) Later(before Place) Place {
	w.Reread(before, w.Skip)
	at := w.Here()
	if w.err == nil {
		if end := w.scanner.pass(w.i, w.depth); end >= 0 {
			w.i = end
		}
	}
	return at
}

// Reread goes back to a value that was passed over, and returns. The zero Place is
// none: what an object holds never stands there.
func (w *Walker) Reread(at Place, read func()) {
	if at == (Place{}) || w.err != nil {
		return
	}
	end := w.Here()
	w.Back(at)
	read()
	w.Back(end)
}
