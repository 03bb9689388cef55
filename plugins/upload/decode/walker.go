package decode

import (
	"bytes"
	"iter"
)

// A Walker reads JSON of other shapes than a collector's upload, with the
// checks and the speed of this package: the files of test runners, OTLP. It
// stands at a value; each method takes the value and stands behind it. Texts
// alias the body where they can. After the first error, which Err tells,
// everything is empty.
type Walker struct {
	scanner
	arena
	i     int
	depth int
	// keys remembers, by depth, the keys of the objects that were walked; the deepest
	// share theirs with the outermost, of which there are few.
	keys [skippedDepths][skippedKeys]place
}

// NewWalker stands at the first value of the body.
func NewWalker(body []byte, maxDepth int) *Walker {
	w := &Walker{scanner: scanner{b: body, maxDepth: maxDepth}}
	w.i = w.space(0)
	return w
}

// Err is an *assemble.SyntaxError, or nil.
func (w *Walker) Err() error { return w.err }

// Place is a value to come back to.
type Place struct{ at, depth int }

// Here is where the walker stands.
func (w *Walker) Here() Place { return Place{w.i, w.depth} }

// Back stands at a place again. A loop over members or elements that is left
// early must be left this way.
func (w *Walker) Back(to Place) { w.i, w.depth = to.at, to.depth }

// Kind is the first byte of the value, 0 at the end.
func (w *Walker) Kind() byte {
	if w.err != nil {
		return 0
	}
	return w.at(w.i)
}

// Remaining is how much of the body is still to be read.
func (w *Walker) Remaining() int { return len(w.b) - w.i }

// Fail notes an error of the document at a place, if it is the first.
func (w *Walker) Fail(at Place, reason string) { w.fail(at.at, reason) }

// End checks that nothing follows.
func (w *Walker) End() error {
	if w.err == nil {
		w.end(w.i)
	}
	return w.err
}

// Members yields the keys of an object, the walker standing at their values. A
// value that is left untouched is passed over; anything but an object has none.
func (w *Walker) Members() iter.Seq[string] {
	return func(yield func(string) bool) {
		i, more := w.enter('{', '}')
		// A member that is remembered nests no deeper than this.
		deep := w.depth+memberBytes/2 > w.maxDepth
		for n := 0; more; n++ {
			p := &w.keys[w.depth%skippedDepths][min(n, skippedKeys-1)]
			// What is remembered goes over no end of a line.
			same := alike(w.b, i, &p.text)
			key, value := w.memberKey(p, same, i)
			if value < 0 {
				return
			}
			whole, last := 0, p.last
			if p.again(same) {
				whole = int(p.member)
			}
			w.i = value
			if !yield(view(key)) {
				return
			}
			if from := i; w.i != value || deep {
				i, more = w.next(value, '}')
			} else if whole == 0 {
				i, more = w.pass(p, from, value)
			} else if i = from + whole; last {
				w.i, more = i, false
				w.depth--
			} else {
				i = w.space(i)
			}
			if w.err != nil {
				return
			}
		}
	}
}

// pass passes over the value of the member that began at from, and remembers it.
func (w *Walker) pass(p *place, from, value int) (next int, more bool) {
	w.Skip()
	end := w.i
	if next, more = w.next(value, '}'); w.err == nil && p.learns() {
		p.learnMember(w.b, from, value, end, next)
	}
	return next, more
}

// Elements yields the places of an array's elements, the walker standing at
// them, as Members does.
func (w *Walker) Elements() iter.Seq[Place] {
	return func(yield func(Place) bool) {
		i, more := w.enter('[', ']')
		for more {
			w.i = i
			if !yield(Place{i, w.depth}) {
				return
			}
			if i, more = w.next(i, ']'); w.err != nil {
				return
			}
		}
	}
}

// memberKey returns the key at i and the index of its value. A runner writes its
// objects alike: mostly the key of before is there.
func (w *Walker) memberKey(p *place, same, i int) (key []byte, value int) {
	if p.named(same) {
		end := i + int(p.key) - len(`":`)
		if w.b[end] != '"' { // a blank stands behind the colon
			w.spaced = true
			end--
		}
		return w.b[i+1 : end], w.space(i + int(p.key))
	}
	key, value = w.rawKey(i)
	if value >= 0 && p.tries < mostTries {
		p.learnKey(w.b[i:value], fieldUnknown)
	}
	return key, value
}

// enter goes into an object or an array; what is none is passed over.
func (w *Walker) enter(opening, closing byte) (first int, more bool) {
	if w.err != nil {
		return 0, false
	}
	if w.at(w.i) != opening {
		w.Skip()
		return 0, false
	}
	if w.depth >= w.maxDepth {
		w.fail(w.i, "it nests too deep")
		return 0, false
	}
	if first, more = w.open(w.i, closing); !more {
		w.i = first
		return 0, false
	}
	w.depth++
	return first, true
}

// next stands behind the value that began there, or leaves what was entered.
func (w *Walker) next(value int, closing byte) (next int, more bool) {
	if w.i == value {
		w.Skip()
	}
	if w.err != nil {
		return 0, false
	}
	if next, more = w.comma(w.i, closing); w.err == nil && !more {
		w.i = next
		w.depth--
	}
	return next, more
}

// Skip passes over a value and checks it.
func (w *Walker) Skip() {
	if w.err != nil {
		return
	}
	if end := w.skip(w.i, w.depth); end >= 0 {
		w.i = end
	}
}

// Raw is the value as it stands in the body.
func (w *Walker) Raw() string {
	start := w.i
	w.Skip()
	if w.err != nil {
		return ""
	}
	return view(w.b[start:w.i])
}

// Text is a string's content; anything else is passed over and is "".
func (w *Walker) Text() string {
	if w.Kind() != '"' {
		w.Skip()
		return ""
	}
	start := w.i + 1
	w.high = false
	end, escaped := w.stringEnd(start)
	if end < 0 {
		return ""
	}
	w.i = end + 1
	text := view(w.b[start:end])
	if escaped {
		text = w.unescape(w.b[start:end])
	}
	if w.high {
		text = valid(text)
	}
	return text
}

// Number is a number that a float64 can hold; anything else is passed over.
func (w *Walker) Number() (value float64, ok bool) {
	c := w.Kind()
	start := w.i
	if '1' <= c && c <= '9' {
		// Digits alone, no more than are exact, need no second look.
		end := digits(w.b, start)
		if next := w.at(end); end-start <= 15 && next != '.' && next|0x20 != 'e' {
			w.i = end
			return float64(decimal(w.b, 0, start, end)), true
		}
	}
	w.Skip()
	if w.err != nil || c != '-' && c-'0' > 9 {
		return 0, false
	}
	return parseNumber(w.b, start, w.i)
}

// Join is the parts as one text, without an allocation of its own.
func (w *Walker) Join(parts ...string) string {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	text := w.room(size)
	for _, part := range parts {
		text = append(text, part...)
	}
	return w.keep(text)
}

// Between is the body between two places, at most 200 bytes of it: the text of
// a problem.
func (w *Walker) Between(from, to Place) string {
	return view(w.b[from.at:min(to.at, from.at+200)])
}

// Lines yields the beginnings of lines that are not blank, and goes over no end of
// a line meanwhile: a document of one value a line. Places of former lines stay
// good. Broken must be asked behind each.
func (w *Walker) Lines() iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for {
			w.lines = false
			if w.i = w.space(w.i); w.i == len(w.b) {
				return
			}
			w.lines = true
			if !yield(w.Here()) {
				return
			}
		}
	}
}

// Broken reports whether the line was no JSON value, and what stood there. The
// error of a line ends with it.
func (w *Walker) Broken(line Place) (text string, broken bool) {
	if w.err == nil {
		if end := w.space(w.i); end == len(w.b) || w.b[end] == '\n' {
			w.i = end
			return "", false
		}
	}
	end := len(w.b)
	if length := bytes.IndexByte(w.b[line.at:], '\n'); length >= 0 {
		end = line.at + length
	}
	w.i, w.depth, w.err = end, 0, nil
	return view(w.b[line.at:end]), true
}
