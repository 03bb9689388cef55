package detect

import (
	"math"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

// scene is a run as it stands when it closes: what failed in it, and what of
// that nobody could have expected.
type scene struct {
	failed  []int // places in the run's outcomes
	records []*record
	known   []bool    // known to be flaky, or broken before this run
	weights []float64 // how unexpected each was
	flips   float64   // unexpected tests that passed and failed
	fails   float64   // unexpected tests that only failed
	recent  []sighting
}

// survey looks over a run.
func (e *Engine) survey(s *suite, r *run, at int64) *scene {
	sc := &scene{recent: e.recentOf(s)}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.failed == 0 && o.flags&flagMixed == 0 {
			continue
		}
		rec := e.record(o.key)
		if rec == nil {
			continue
		}
		// Broken tests that pass again all at once are the end of an outage: they count.
		flaky := rec.knownFlaky(at)
		known := flaky ||
			o.flags&flagMixed == 0 && (rec.broken || rec.streak > 0 && r.place != rec.newest)
		sc.failed = append(sc.failed, i)
		sc.records = append(sc.records, rec)
		sc.known = append(sc.known, known)
		unexpected := 0.0
		if !known || flaky {
			unexpected = rec.surprise()
		}
		sc.weights = append(sc.weights, unexpected)
		if o.flags&flagMixed != 0 {
			sc.flips += unexpected
		} else {
			sc.fails += unexpected
		}
	}
	return sc
}

// amend tells of a test that was seen failing what its run showed since.
func amend(list []sighting, o *outcome, run uint64) {
	for i := range list {
		if list[i].key == o.key && list[i].run == run {
			list[i].flags = o.flags
		}
	}
}

// knownFlaky says whether the test was flaky before whatever happens now.
func (r *record) knownFlaky(now int64) bool {
	return r.says != saysNothing && since(r.suspectedAt, now) >= 2*hour &&
		(r.says == saysDetected || r.expected() >= .5)
}

// expected is how likely the test was to be flaky before its newest episode.
func (r *record) expected() float64 {
	before := *r
	before.waits = false
	return before.probability()
}

// surprise is how unexpected a failure of the test was: a test that is known
// to be flaky is no surprise, one that is flaky once in a hundred runs is.
func (r *record) surprise() float64 {
	rate := float64(r.lineFailures+1) / float64(r.runs+20)
	return 1 - float64(r.expected()*min(1, 8*rate))
}

// sighting is one failure as the suite remembers it for a while, to see what
// failed near what.
type sighting struct {
	key       uint64
	signature uint64
	at        int64
	host      uint32
	branch    uint32
	slot      uint32 // of the commit
	run       uint64
	flags     uint16
}

const (
	keptSightings    = 256
	sightingsPerRun  = 16
	sightingLifetime = 6 * hour
)

func (e *Engine) recentOf(s *suite) []sighting {
	value := e.state.Value(keyOf(s.seed, kindRecent, 0))
	if len(value) == 0 {
		return nil
	}
	b := wire.Reader{Bytes: value}
	b.Byte()
	list := make([]sighting, b.U16())
	for i := range list {
		list[i] = sighting{
			key: b.U64(), signature: b.U64(), at: b.Int(), host: b.U32(), branch: b.U32(),
			slot: b.U32(), run: b.U64(), flags: b.U16(),
		}
	}
	return list
}

// remember adds what failed in a run to what failed lately in its suite.
func (e *Engine) remember(s *suite, r *run, sc *scene, at int64) {
	if len(sc.failed) == 0 {
		return
	}
	list := sc.recent
	for len(list) > 0 && list[0].at < at-sightingLifetime {
		list = list[1:]
	}
	added := 0
	for _, i := range sc.failed {
		o := &r.outcomes[i]
		if o.flags&flagSighted != 0 {
			amend(list, o, r.key)
			continue
		}
		if added == sightingsPerRun {
			continue
		}
		added++
		o.flags |= flagSighted
		r.touch(i)
		list = append(list, sighting{
			key: o.key, signature: o.signature, at: at, host: o.host, branch: branchBits(r.branch),
			slot: r.slot, run: r.key, flags: o.flags,
		})
	}
	if len(list) > keptSightings {
		list = list[len(list)-keptSightings:]
	}
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindRecent)
	w.U16(uint16(len(list)))
	for i := range list {
		w.U64(list[i].key)
		w.U64(list[i].signature)
		w.Int(list[i].at)
		w.U32(list[i].host)
		w.U32(list[i].branch)
		w.U32(list[i].slot)
		w.U64(list[i].run)
		w.U16(list[i].flags)
	}
	e.state.SetValue(keyOf(s.seed, kindRecent, 0), w.Bytes)
}

// vicinity is where to look for other tests that failed.
type vicinity struct {
	self     uint64
	from, to int64
	centre   int64   // what is further from it counts less
	host     uint32  // any failure on this host counts
	mixed    bool    // of these, only those that passed as well
	slot     uint32  // any failure on this commit counts
	notIn    uint64  // a run that was looked at already
	flips    bool    // any pass and failure on one commit counts
	enough   float64 // counting ends here; 0 is no end
}

// reach is how far from the centre of a vicinity a failure counts 1/e: most
// storms that nothing else betrays last less than an hour.
const reach = float64(30 * minute)

// neighbours counts the other tests seen failing near a test, each by how
// unlikely it is to be flaky itself.
func (e *Engine) neighbours(list []sighting, v vicinity) float64 {
	var seen []uint64
	n := 0.0
	for i := range list {
		x := &list[i]
		if !v.holds(x) || slices.Contains(seen, x.key) {
			continue
		}
		seen = append(seen, x.key)
		if rec := e.record(x.key); rec != nil {
			n += float64(math.Exp(-float64(v.distance(list[i:], x.key))/reach) * rec.surprise())
		}
		if v.enough > 0 && n >= v.enough {
			break
		}
	}
	return n
}

// holds says whether the failure is near.
func (v *vicinity) holds(x *sighting) bool {
	if x.key == v.self || x.at < v.from || x.at > v.to || x.run == v.notIn {
		return false
	}
	return v.host != 0 && x.host == v.host && (!v.mixed || x.flags&flagMixed != 0) || v.slot != 0 && x.slot == v.slot || v.flips && x.flags&flagMixed != 0
}

// distance is how far from the centre the test failed at the closest.
func (v *vicinity) distance(list []sighting, key uint64) int64 {
	if v.centre == 0 {
		return 0
	}
	closest := int64(math.MaxInt64)
	for i := range list {
		if x := &list[i]; x.key == key && v.holds(x) {
			closest = min(closest, max(x.at-v.centre, v.centre-x.at))
		}
	}
	return closest
}
