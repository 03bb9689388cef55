package decode

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

const (
	// memberBytes is how much of a member is compared with the one before.
	memberBytes = lookBytes
	// mostTries is how often a place learns another key, mostValues how often another
	// value: where it is another each time, that is no help.
	mostTries  = 32
	mostValues = 16
)

// place remembers the member that stood at a place of the object before. A
// collector writes its objects alike: one comparison usually names the key, and
// where the value is the usual one it passes over all of the member.
type place struct {
	text [memberBytes]byte
	// key is the length of the key with quotes, colon and at most one space. member
	// is that of the whole member, up to where the next one begins or behind the
	// object. 0 is nothing remembered.
	key, member uint8
	field       field
	// result is what a remembered member of that field says.
	result testengine.Result
	// spaced says that there is white space in it, last that it ends the object.
	spaced, last bool
	// proved says that the member has come again: it is kept.
	proved        bool
	tries, values uint8
}

// again reports whether the member is remembered and comes again: same is how
// many bytes are those of the last one.
func (p *place) again(same int) bool { return p.member > 0 && same >= int(p.member) }

// named is again for the key alone.
func (p *place) named(same int) bool { return p.key > 0 && same >= int(p.key) }

// learnKey remembers a key as it stands in the body: ASCII in quotes, a colon, at
// most one space. Of any other it keeps the field alone.
func (p *place) learnKey(key []byte, f field) {
	*p = place{field: f, tries: min(p.tries+1, mostTries)}
	n := len(key)
	if n > memberBytes || n < len(`"":`) {
		return
	}
	end := n
	if key[end-1] == ' ' {
		end--
	}
	if key[end-1] != ':' || key[end-2] != '"' {
		return
	}
	for _, c := range key {
		if c >= 0x80 {
			return
		}
	}
	copy(p.text[:], key)
	p.key, p.spaced = uint8(n), end != n
}

// learns reports whether it is worth a try to remember the member.
func (p *place) learns() bool { return p.values < mostValues && !p.proved }

// learnMember remembers the member from i to next, with the remembered key and
// its value from value to end, when it is short and plain: ASCII, and of white
// space at most one behind the comma. It reports whether it did.
func (p *place) learnMember(b []byte, i, value, end, next int) bool {
	p.values++
	if next-i > memberBytes || string(b[i:value]) != string(p.text[:p.key]) {
		return false
	}
	for _, c := range b[value:end] {
		if c >= 0x80 || c <= ' ' && b[value] != '"' {
			return false
		}
	}
	behind := string(b[end:next])
	if behind != "," && behind != ", " && behind != "}" {
		return false
	}
	copy(p.text[:], b[i:next])
	p.member, p.last = uint8(next-i), behind == "}"
	p.spaced = p.spaced || behind == ", "
	return true
}
