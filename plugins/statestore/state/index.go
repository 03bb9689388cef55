package state

import "math/bits"

// An index maps 64-bit keys to 64-bit words, 16 bytes a slot. It is open
// addressing with linear probing whose slots stay in order of the mixed key:
// a miss ends as early as a hit, deletion shifts back and leaves no tombstone,
// growing is one sequential copy, and walking it gives one order for ever.
// It grows shard by shard in small steps, so that no insertion pauses for long
// and no more than a third of the slots is ever empty.
type index struct {
	shards []shard
	bits   uint
	n      int
}

// A slot is empty when its word is 0.
type slot struct{ mixed, word uint64 }

type shard struct {
	slots []slot
	// home is the number of slots at which a key can begin; behind them there is
	// slack for the last ones that were displaced, ending in an empty slot.
	home uint64
	n    int
}

const (
	// A shard grows when more than loadOf/loadIn of its homes are taken.
	loadIn, loadOf = 7, 8
	// It then grows to growIn/growOf.
	growIn, growOf = 5, 4
	firstHome      = 8
	slackPart      = 32
	slackMin       = 8
	slackMax       = 64
)

func newIndex(shardBits uint) index {
	return index{shards: make([]shard, 1<<shardBits), bits: shardBits}
}

// mix spreads keys over all bits; unmix is its inverse, so that only the mixed key is stored.
func mix(key uint64) uint64 {
	key *= mixFactor
	key ^= key >> 32
	return key * mixFactor
}

func unmix(mixed uint64) uint64 {
	mixed *= unmixFactor
	mixed ^= mixed >> 32
	return mixed * unmixFactor
}

const (
	mixFactor   = 0x9fb21c651e98df25
	unmixFactor = 0x02ab9c720d1024ad // mixFactor * unmixFactor = 1 (mod 2^64)
)

func (x *index) shardOf(mixed uint64) *shard { return &x.shards[mixed>>(64-x.bits)] }

func (x *index) homeOf(s *shard, mixed uint64) uint64 {
	home, _ := bits.Mul64(mixed<<x.bits, s.home)
	return home
}

// find returns the slot of the key, or where it belongs and false.
func (x *index) find(s *shard, mixed uint64) (i uint64, found bool) {
	if s.home == 0 {
		return 0, false
	}
	for i = x.homeOf(s, mixed); ; i++ {
		at := &s.slots[i]
		if at.word == 0 || at.mixed > mixed {
			return i, false
		}
		if at.mixed == mixed {
			return i, true
		}
	}
}

// lineSlots is how many slots a line of the processor's caches holds.
const lineSlots = 4

// warm reads the slots at which the keys begin, and the two lines behind: a key
// stands a little further, and a new one moves others up to the next empty slot.
// The reads do not depend on each other, so that their cache misses overlap.
func (x *index) warm(keys []uint64) (sum uint64) {
	for _, key := range keys {
		mixed := mix(key)
		if s := x.shardOf(mixed); s.home > 0 {
			home := x.homeOf(s, mixed) // There are slackMin slots behind it.
			sum += s.slots[home].word + s.slots[home+lineSlots].word + s.slots[home+2*lineSlots].word
		}
	}
	return sum
}

// get returns the key's word, 0 when it is absent.
func (x *index) get(key uint64) uint64 {
	mixed := mix(key)
	s := x.shardOf(mixed)
	if i, found := x.find(s, mixed); found {
		return s.slots[i].word
	}
	return 0
}

// set gives the key a word other than 0 and returns the one it had, or 0.
func (x *index) set(key, word uint64) (old uint64) {
	mixed := mix(key)
	s := x.shardOf(mixed)
	i, found := x.find(s, mixed)
	if found {
		old, s.slots[i].word = s.slots[i].word, word
		return old
	}
	for {
		if uint64(s.n+1)*loadOf <= s.home*loadIn && s.insert(i, slot{mixed, word}) {
			x.n++
			return 0
		}
		x.grow(s)
		i, _ = x.find(s, mixed)
	}
}

// insert puts the new slot at i and moves what stands there up to the next empty
// slot. It refuses to take the last one, at which every search ends.
func (s *shard) insert(i uint64, add slot) bool {
	empty := i
	for s.slots[empty].word != 0 {
		empty++
	}
	if empty == uint64(len(s.slots))-1 {
		return false
	}
	copy(s.slots[i+1:empty+1], s.slots[i:empty])
	s.slots[i] = add
	s.n++
	return true
}

func (x *index) grow(s *shard) {
	for home := max(firstHome, s.home*growIn/growOf+1); ; home = home*growIn/growOf + 1 {
		bigger := shard{home: home, n: s.n}
		bigger.slots = make([]slot, home+min(slackMax, slackMin+home/slackPart))
		if x.fill(&bigger, s.slots) {
			*s = bigger
			return
		}
	}
}

// fill copies slots in order; false when the slack does not suffice.
func (x *index) fill(s *shard, from []slot) bool {
	next := uint64(0)
	last := uint64(len(s.slots)) - 1
	for i := range from {
		if from[i].word == 0 {
			continue
		}
		at := max(next, x.homeOf(s, from[i].mixed))
		if at >= last {
			return false
		}
		s.slots[at] = from[i]
		next = at + 1
	}
	return true
}

// remove deletes the key and returns the word it had, or 0.
func (x *index) remove(key uint64) (old uint64) {
	mixed := mix(key)
	s := x.shardOf(mixed)
	i, found := x.find(s, mixed)
	if !found {
		return 0
	}
	old = s.slots[i].word
	end := i + 1
	for s.slots[end].word != 0 && x.homeOf(s, s.slots[end].mixed) < end {
		end++
	}
	copy(s.slots[i:end-1], s.slots[i+1:end])
	s.slots[end-1] = slot{}
	s.n--
	x.n--
	return old
}

// each walks in order of the mixed keys.
func (x *index) each(yield func(key, word uint64) bool) {
	for s := range x.shards {
		for _, at := range x.shards[s].slots {
			if at.word != 0 && !yield(unmix(at.mixed), at.word) {
				return
			}
		}
	}
}

// bytes is the memory the slots take.
func (x *index) bytes() int {
	total := 0
	for i := range x.shards {
		total += len(x.shards[i].slots) * 16
	}
	return total
}

// reserve makes room for n keys in an empty index.
func (x *index) reserve(n int) {
	for i := range x.shards {
		home := uint64(n) * growIn / growOf >> x.bits
		if s := &x.shards[i]; s.home == 0 && home > firstHome {
			s.home = home
			s.slots = make([]slot, home+min(slackMax, slackMin+home/slackPart))
		}
	}
}
