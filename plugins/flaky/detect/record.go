package detect

import (
	"math/bits"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

// recordBytes is what a record takes when nothing of it can be cut off.
const recordBytes = 100

// maxWindow is the longest window of results a record can hold.
const maxWindow = 112

// What is being said about a test.
const (
	saysNothing = iota
	saysSuspected
	saysDetected
)

// record is what detection remembers of a test, in one variant, that failed at
// least once: under 100 bytes as stored. Times are in seconds.
type record struct {
	belief filter.State // 32
	dense  uint32
	file   uint16

	newest uint32 // the newest commit of the line that was observed
	streak uint8  // failing commits in a row, up to newest

	says          uint8
	broken        bool
	shared        bool // two files share the identity
	flakyEpisode  uint8
	brokenEpisode uint8
	transitions   bool // the transition count is in alarm

	failures     uint16 // failing runs of the epoch
	lineFailures uint16 // of these, on the line
	runs         uint32 // runs of the epoch
	clean        uint16 // runs without failure since the last
	cleanAtHour  uint8  // of these, at the hours the test failed at
	hours        uint32 // hours of the day at which the test failed
	lastFailure  uint32
	longestGap   uint16  // between failures, in units of ten minutes
	pieces       uint8   // episodes near which nothing else failed, up to 3
	solid        uint8   // failures on the line that retries did not mend, or with a crowd, up to 3
	lasted       uint8   // other failures on the line that lasted for commits, less those of one commit, up to 3
	stretches    uint8   // failures of one commit on the line that retries did not mend, far apart, up to 3
	odds         float32 // log-odds of what the settled episodes are worth
	pieceAt      uint16  // when the newest episode of evidence began, to ten minutes, 0 for never
	waits        bool    // it waits to be settled
	kind, crowd  uint8   // of the newest episode
	again        uint8   // its further pieces, up to 3
	returned     uint8   // those that came back after a run in which the test passed at once, up to 3
	calm         bool    // there was such a run since the newest piece
	branches     uint8   // failures on branches that counted, up to 3
	same, near   bool    // its message is known from an earlier one; that one was on the same day
	split        bool    // another variant passed where it last failed on the line
	lone         uint8   // failures on the line alone, up to 3: of one commit, nothing beside
	suspectedAt  uint16  // when it was first spoken of in this episode of flakiness, likewise
	broke        bool    // it last failed as a break does: retries, the next commit, or other tests failed too

	failing [3]failing // newest commits the test failed on

	windowLength uint8
	window       [2]uint64 // newest results of the line, failed = 1, newest in bit 0
}

// oddsUnit is the precision at which log-odds are kept; |odds| stays below 128.
const oddsUnit = 256

// maxGap is the longest gap between failures that is told apart, 56 days.
const maxGap = 1<<13 - 1

// beginning is when an episode began, to ten minutes: never 0, which is what an
// episode that never was has. Ten minutes earlier, so that it is not in the future.
func beginning(at int64) uint16 {
	if moment := tenMinutes(at); moment != 0 {
		return moment
	}
	return 1<<16 - 1
}

// had says whether there was an episode of evidence.
func (r *record) had() bool { return r.pieceAt != 0 }

// Counts that stand still there: what follows from them does not need more.
const maxFailures, maxLineFailures, maxClean = 1<<12 - 1, 1<<12 - 1, 1<<15 - 1

// failing is a commit that a test failed on, and when, to ten minutes.
type failing struct {
	slot uint32
	at   uint16
}

func (r *record) append(w *wire.Writer) {
	w.Byte(kindRecord)
	w.F32(r.belief.Healthy)
	w.F32(r.belief.Broken)
	for _, f := range r.belief.Flaky {
		w.F32(f)
	}
	w.U32(r.dense | uint32(r.says)<<24 | flag(r.broken)<<26 | flag(r.transitions)<<27 | flag(r.shared)<<28 | flag(r.waits)<<29 | flag(r.broke)<<30 | flag(r.near)<<31)
	w.U16(r.file)
	w.U16(uint16(r.newest))
	w.Byte(byte(r.newest >> 16))
	w.Byte(r.flakyEpisode)
	w.Byte(r.brokenEpisode)
	w.Byte(r.pieces&3 | r.stretches<<2 | r.streak<<4)
	w.U16(min(r.failures, maxFailures) | uint16(r.branches)<<12 | uint16(r.returned)<<14)
	w.U16(min(r.lineFailures, maxLineFailures) | uint16(r.lasted)<<12 | uint16(r.solid)<<14)
	w.U16(uint16(min(r.runs, 65535)))
	w.U16(min(r.clean, maxClean) | uint16(flag(r.calm))<<15)
	w.Byte(r.cleanAtHour)
	w.Byte(byte(r.hours))
	w.U16(uint16(r.hours >> 8))
	w.U32(r.lastFailure)
	w.U16(min(r.longestGap, maxGap) | uint16(r.lone)<<13 | uint16(flag(r.split))<<15)
	w.Byte(r.windowLength | uint8(flag(r.same))<<7)
	// What is mostly zero comes last and is cut off.
	w.U64(r.window[0])
	w.U16(r.pieceAt)
	w.U16(uint16(int16(r.odds * oddsUnit)))
	w.Byte(r.kind | r.crowd<<3 | r.again<<6)
	w.U16(r.suspectedAt)
	for _, f := range r.failing {
		w.U16(uint16(f.slot))
		w.Byte(uint8(f.slot >> 16))
		w.U16(f.at)
	}
	w.U32(uint32(r.window[1]))
	w.U16(uint16(r.window[1] >> 32 & 0xffff))
	w.Bytes = trimZeros(w.Bytes)
}

func (r *record) read(value []byte) {
	var whole [recordBytes]byte
	copy(whole[:], value)
	if whole[0] == kindRecord2 {
		renew(&whole)
	}
	b := wire.Reader{Bytes: whole[1:]}
	r.belief.Healthy, r.belief.Broken = b.F32(), b.F32()
	for k := range r.belief.Flaky {
		r.belief.Flaky[k] = b.F32()
	}
	word := b.U32()
	r.dense, r.says = word&(1<<24-1), uint8(word>>24&3)
	r.broken, r.transitions = word>>26&1 == 1, word>>27&1 == 1
	r.shared, r.waits, r.broke = word>>28&1 == 1, word>>29&1 == 1, word>>30&1 == 1
	r.file, r.newest = b.U16(), uint32(b.U16())
	r.newest |= uint32(b.Byte()) << 16
	r.flakyEpisode, r.brokenEpisode = b.Byte(), b.Byte()
	counts := b.Byte()
	r.pieces, r.stretches, r.streak = counts&3, counts>>2&3, counts>>4
	failures := b.U16()
	r.failures, r.branches, r.returned = failures&maxFailures, uint8(failures>>12&3), uint8(failures>>14)
	failures = b.U16()
	r.lineFailures, r.lasted, r.solid = failures&maxLineFailures, uint8(failures>>12&3), uint8(failures>>14)
	r.runs, r.clean = uint32(b.U16()), b.U16()
	r.calm, r.clean = r.clean > maxClean, r.clean&maxClean
	r.cleanAtHour = b.Byte()
	r.hours = uint32(b.Byte())
	r.hours |= uint32(b.U16()) << 8
	r.lastFailure = b.U32()
	gap := b.U16()
	r.longestGap, r.lone, r.split = gap&maxGap, uint8(gap>>13&3), gap>>15 == 1
	r.windowLength = b.Byte()
	r.near, r.same = word>>31 == 1, r.windowLength>>7 == 1
	r.windowLength &= 127
	r.window[0] = b.U64()
	r.pieceAt = b.U16()
	r.odds = float32(int16(b.U16())) / oddsUnit
	piece := b.Byte()
	r.kind, r.crowd, r.again = piece&7, piece>>3&7, piece>>6
	r.suspectedAt = b.U16()
	for i := range r.failing {
		r.failing[i].slot = uint32(b.U16()) | uint32(b.Byte())<<16
		r.failing[i].at = b.U16()
	}
	r.window[1] = uint64(b.U32())
	r.window[1] |= uint64(b.U16()) << 32
}

func flag(set bool) uint32 {
	if set {
		return 1
	}
	return 0
}

func trimZeros(b []byte) []byte {
	for len(b) > 1 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// push adds a result of the line to the window.
func (r *record) push(failed bool) {
	r.window[1] = (r.window[1]<<1 | r.window[0]>>63) & (1<<(maxWindow-64) - 1)
	r.window[0] <<= 1
	if failed {
		r.window[0] |= 1
	}
	if r.windowLength < maxWindow {
		r.windowLength++
	}
}

// changes counts the changes among the newest n results: from passed to failed
// and from failed to passed.
func (r *record) changes(n int) (toFailed, toPassed int) {
	n = min(n, int(r.windowLength))
	if n < 2 {
		return 0, 0
	}
	// Bit i of older is the result before bit i of the window.
	older := [2]uint64{r.window[0]>>1 | r.window[1]<<63, r.window[1] >> 1}
	for i := range older {
		mask := lowBits(n - 1 - 64*i)
		toFailed += bits.OnesCount64(r.window[i] &^ older[i] & mask)
		toPassed += bits.OnesCount64(older[i] &^ r.window[i] & mask)
	}
	return toFailed, toPassed
}

// failedWithin says whether one of the newest n results was a failure.
func (r *record) failedWithin(n int) bool { return r.window[0]&lowBits(n) != 0 }

// cameBack is how often the test came back among its newest 32 results on the
// line, as a level: who broke is mended once, or landed and reverted a few times.
// Where retries failed as well, each may be a break that was mended.
func (r *record) cameBack() (level int) {
	if r.broke {
		return 0
	}
	_, returns := r.changes(32)
	for level < len(returning) && returns >= returning[level] {
		level++
	}
	return level
}

// returning are the numbers of returns that are told apart, and restless is the level
// from which on it no longer matters that some of the failures lasted for commits.
var returning = [...]int{3, 4, 5, 6, 7}

const restless = 4

// brokeLately says whether two commits of the line in a row failed lately: a
// branch that was built before and after may have had the break in its base.
func (r *record) brokeLately() bool { return r.window[0]&(r.window[0]>>1)&lowBits(12) != 0 }

func lowBits(n int) uint64 {
	switch {
	case n <= 0:
		return 0
	case n >= 64:
		return ^uint64(0)
	}
	return 1<<n - 1
}

// failedOn remembers that the test failed on a commit.
func (r *record) failedOn(slot uint32, at int64) {
	for i := range r.failing {
		if r.failing[i].slot == slot {
			return
		}
	}
	copy(r.failing[1:], r.failing[:2])
	r.failing[0] = failing{slot, tenMinutes(at)}
}

// failureOn says how long before now the test failed on a commit.
func (r *record) failureOn(slot uint32, now int64) (ago int64, ok bool) {
	for i := range r.failing {
		if r.failing[i].slot == slot && slot != 0 {
			return since(r.failing[i].at, now), true
		}
	}
	return 0, false
}

// since is how long ago a moment kept to ten minutes was.
func since(then uint16, now int64) int64 { return int64(tenMinutes(now)-then) * 10 * minute }

// moment is when that was, to ten minutes: the same whenever it is asked.
func moment(then uint16, now int64) int64 {
	return now - now%(10*minute) - since(then, now)
}

func tenMinutes(at int64) uint16 {
	return uint16(at / (10 * minute))
}
