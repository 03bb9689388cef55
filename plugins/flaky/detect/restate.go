package detect

import (
	"encoding/binary"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// When a state was computed under other rules and the records behind it are
// done again silently, what was said about those records came from the other
// rules. Which tests they touched is remembered, in the state itself, since a
// process may end before it could speak; the first record that is not silent
// says anew what holds for each of them. A verdict that was said already has the
// same id again.

// touchedPage is how many keys one value holds.
const touchedPage = 2000

// touched are the keys of records that were written since the rules changed, in
// pages, in the order of their first writing.
type touched struct {
	known map[uint64]bool
	page  uint64
	last  []byte // the value of the last page
	// silent says that the open record is done again; before that is known, what
	// its timers touch waits.
	silent bool
	waits  []uint64
}

func touchedKey(page uint64) uint64 { return keyOf(0, kindTouched, page) }

// Changed says that the state was computed under other rules: from now on it is
// remembered which tests are touched.
func (e *Engine) Changed() {
	if e.touched == nil {
		e.touched = &touched{known: make(map[uint64]bool)}
	}
}

// readTouched goes on where an engine before this one ended; nil is nowhere.
func readTouched(state State) *touched {
	t := &touched{known: make(map[uint64]bool)}
	for value := state.Value(touchedKey(0)); value != nil; value = state.Value(touchedKey(t.page + 1)) {
		if len(t.known) > 0 {
			t.page++
		}
		t.last = append(t.last[:0], value...)
		for at := 1; at+8 <= len(value); at += 8 {
			t.known[binary.LittleEndian.Uint64(value[at:])] = true
		}
	}
	if len(t.known) == 0 {
		return nil
	}
	return t
}

// Redone says that the open record is done again silently.
func (e *Engine) Redone() {
	t := e.touched
	if t == nil {
		return
	}
	t.silent = true
	for _, key := range t.waits {
		e.touch(key)
	}
	t.waits = nil
}

// touch remembers a test whose record is written.
func (e *Engine) touch(key uint64) {
	t := e.touched
	if t == nil || t.known[key] {
		return
	}
	if !t.silent {
		t.waits = append(t.waits, key)
		return
	}
	t.known[key] = true
	if len(t.last) >= 1+8*touchedPage {
		t.page++
		t.last = t.last[:0]
	}
	if len(t.last) == 0 {
		t.last = append(t.last, kindTouched)
	}
	t.last = binary.LittleEndian.AppendUint64(t.last, key)
	e.state.SetValue(touchedKey(t.page), t.last)
}

// Restate says anew what holds for every test that was touched since the rules
// changed, and forgets them. It is called in a record that is not silent.
func (e *Engine) Restate() {
	t := e.touched
	if t == nil {
		return
	}
	e.touched = nil
	for page := range t.page + 1 {
		value := append([]byte(nil), e.state.Value(touchedKey(page))...)
		if len(value) == 0 {
			continue
		}
		e.state.Delete(touchedKey(page))
		for at := 1; at+8 <= len(value); at += 8 {
			e.restate(binary.LittleEndian.Uint64(value[at:]))
		}
	}
}

func (e *Engine) restate(key uint64) {
	rec, n := e.record(key), e.namesOf(key)
	s := e.suiteByKey(suiteKey(n.suite))
	if rec == nil || s == nil || n.test == 0 {
		return
	}
	const note = "the rules changed while records were done again"
	c := &inquiry{suite: s, key: key, record: rec, names: n, at: e.now}
	rule := ruleFilter
	if rec.had() {
		rule = ruleRetry
	}
	switch {
	case rec.broken:
		e.say(c, testengine.TestBroken, ruleBroken, note)
	case rec.says == saysDetected:
		e.say(c, testengine.FlakyDetected, rule, note)
	case rec.says == saysSuspected:
		e.say(c, testengine.FlakySuspected, rule, note)
	default:
		e.say(c, testengine.FlakyRetracted, rule, note)
	}
}
