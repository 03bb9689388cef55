package panes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/window/events"
)

// Divisible is a table that is shared out over more partitions: a *state.Table.
type Divisible interface {
	Table
	Timers(yield func(id uint64, due int64) bool)
}

// dividedKey marks a table in which a lane may find what was said of windows that
// it no longer has.
const dividedKey = 0x6469766964000001

// foreign is a slice or session that another partition goes on with.
type foreign struct {
	id, hash uint64
	start    int64
}

// Divide drops the slices and sessions whose keys are not mine. A window is never
// cut: all of its events so far go where the next ones come to. The clock stays, so
// windows end in every partition when they would have.
//
// What was said of windows is found by their settings, which a table does not have:
// the engine forgets it with its first record (tidy).
func Divide(t Divisible, mine func(parts []string) (bool, error)) (err error) {
	var all []foreign
	t.Range(func(id, _ uint64, value []byte) bool {
		if len(value) == 0 || value[0] != valuePiece {
			return true
		}
		var is bool
		one := foreign{id: id}
		if one.start, value, err = startOf(value); err == nil {
			is, err = isMine(value, mine)
		}
		if one.hash = id ^ pieceID(0, one.start); err == nil && !is {
			all = append(all, one)
		}
		return err == nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	// The order decides nothing but how the table lies in memory.
	slices.SortFunc(all, func(a, b foreign) int { return int(a.start - b.start) })
	for _, one := range all {
		for n := range MaxAggregates {
			t.Delete(baseID(one.id, n))
		}
		t.Delete(one.id)
		t.Delete(spansID(one.hash))
		t.CancelTimer(one.hash)
	}
	t.SetValue(dividedKey, []byte{valueDivided})
	return nil
}

func isMine(value []byte, mine func(parts []string) (bool, error)) (bool, error) {
	n, used := binary.Uvarint(value)
	if used <= 0 || n > uint64(len(value)-used) {
		return false, errValue
	}
	var parts []string
	for key := value[used : used+int(n)]; len(key) > 0; {
		var kind events.Kind
		var text []byte
		if kind, text, key = nextPart(key); kind == events.Null {
			text = []byte("null")
		}
		parts = append(parts, string(text))
	}
	return mine(parts)
}

// tidy drops, in the first record after a division, what was said of windows that
// this lane does not have.
func (e *Engine) tidy() {
	if !e.divided {
		return
	}
	e.divided = false
	e.table.Delete(dividedKey)
	strays := map[uint64]bool{}
	e.table.Range(func(key, _ uint64, value []byte) bool {
		if value == nil && key != clockCell {
			strays[key] = true
		}
		return true
	})
	e.windows.known(func(id uint64) { delete(strays, id) })
	for _, key := range slices.Sorted(maps.Keys(strays)) {
		e.table.Delete(key)
	}
}

// known names the cells of all windows that the slices may be part of.
func (s *sliced) known(yield func(id uint64)) {
	for start, one := range s.slices {
		for _, hash := range one.keys {
			for w := start + s.settings.Slide - s.settings.Size; w <= start; w += s.settings.Slide {
				yield(windowID(hash, w))
			}
		}
	}
}

// known names the cells of all sessions.
func (s *sessions) known(yield func(id uint64)) {
	s.table.Range(func(id, _ uint64, value []byte) bool {
		if len(value) > 0 && value[0] == valuePiece {
			if start, _, err := startOf(value); err == nil {
				yield(windowID(id^pieceID(0, start), start))
			}
		}
		return true
	})
}

// RecordKey is how a record's key is made of the parts of a window's key.
type RecordKey struct {
	parts []part
}

// part is a text, or with a place the part of the window's key there, from 1 on.
type part struct {
	text  string
	place int
}

var errRecordKey = errors.New("it is text with places in it, like acme/{1}: {1} is the first field of `by`")

// ParseRecordKey reads "acme/{1}".
func ParseRecordKey(template string) (k RecordKey, err error) {
	for template != "" {
		text, rest, found := strings.Cut(template, "{")
		k.parts = append(k.parts, part{text: text})
		if !found {
			break
		}
		number, after, closed := strings.Cut(rest, "}")
		place, err := strconv.Atoi(number)
		if err != nil || !closed || place < 1 {
			return k, fmt.Errorf("reading the key of records %q: %w", template, errRecordKey)
		}
		k.parts, template = append(k.parts, part{place: place}), after
	}
	return k, nil
}

// Of is the key of the records whose events are in a window of that key.
func (k RecordKey) Of(parts []string) (string, error) {
	var key strings.Builder
	for _, one := range k.parts {
		switch {
		case one.place > len(parts):
			return "", fmt.Errorf("making the key of records: there is no {%d} in a window's key of %d parts", one.place, len(parts))
		case one.place > 0:
			key.WriteString(parts[one.place-1])
		default:
			key.WriteString(one.text)
		}
	}
	return key.String(), nil
}
