package detect

import (
	"fmt"
	"math"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func branchBits(branch string) uint32 {
	return uint32(testengine.Hash(3, branch))
}

// guard marks the failures of a run that are a storm's: too many for this kind
// of run, one message in several tests, or a host that fails what others pass.
func (e *Engine) guard(s *suite, r *run, sc *scene, at int64) {
	failures := len(sc.failed)
	first := r.generation == 1
	why := ""
	if !s.settings.Storm.Disabled && failures > 0 {
		why = e.guardRun(s, r, sc)
		if why == "" {
			why = e.guardSignatures(s, r, sc, at)
		}
		if host := e.guardHosts(s, r, sc, at); why == "" {
			why = host
		}
	}
	if first {
		s.counts[r.class].add(failures)
		s.dirty = true
	}
	r.storm = why
	if why != "" {
		e.openIncident(s, r, sc, why, at)
	}
}

func (*Engine) guardRun(s *suite, r *run, sc *scene) string {
	why := runStorm(s, r, sc)
	if why == "" {
		return ""
	}
	for _, i := range sc.failed {
		r.outcomes[i].flags |= flagGuarded
		r.touch(i)
	}
	return why
}

// runStorm says why the whole run is a storm, "" when it is none.
func runStorm(s *suite, r *run, sc *scene) string {
	rules := &s.settings.Storm
	failures := float64(len(sc.failed))
	median := s.counts[r.class].median()
	total := float64(r.counts[testengine.ResultPassed] + r.counts[testengine.ResultFailed])
	switch {
	case len(sc.failed) >= rules.MinFailures && failures > rules.Factor*(median+1):
		return fmt.Sprintf("run: %d tests failed, %g are usual", len(sc.failed), median)
	case len(sc.failed) >= rules.ShareTests && failures >= rules.Share*total:
		return fmt.Sprintf("share: %d of %d executions failed", len(sc.failed), int(total))
	}
	return ""
}

// guardSignatures guards clusters: one message in several tests of the run, or
// in several tests on several branches within the window.
func (*Engine) guardSignatures(s *suite, r *run, sc *scene, at int64) string {
	rules := &s.settings.Storm
	why := ""
	for n, i := range sc.failed {
		o := &r.outcomes[i]
		if o.signature == 0 || sc.known[n] {
			continue
		}
		tests := 0
		for m, j := range sc.failed {
			if r.outcomes[j].signature == o.signature && !sc.known[m] {
				tests++
			}
		}
		branches, others := spread(sc.recent, o, branchBits(r.branch), at-rules.Window)
		switch {
		case tests >= rules.SignatureTests:
			why = fmt.Sprintf("signature: %d tests failed with one message", tests)
		case !quickFlip(o) && branches >= rules.Branches && tests+others >= rules.SignatureTests:
			why = fmt.Sprintf("branches: %d branches failed with one message", branches)
		default:
			continue
		}
		o.flags |= flagGuarded
		r.touch(i)
	}
	return why
}

// quickFlip says whether the test passed in the same run within minutes: what
// fails on every branch for a while does not.
func quickFlip(o *outcome) bool {
	return o.flags&flagMixed != 0 && o.flags&(flagLate|flagElsewhere) == 0
}

// spread counts the branches that a message was seen on since a time, this one
// included, and the other tests that failed with it.
func spread(list []sighting, o *outcome, branch uint32, since int64) (branches, others int) {
	seen, tests := []uint32{branch}, []uint64{o.key}
	for i := range list {
		x := &list[i]
		if x.signature != o.signature || x.at < since {
			continue
		}
		if !slices.Contains(seen, x.branch) {
			seen = append(seen, x.branch)
		}
		if !slices.Contains(tests, x.key) {
			tests = append(tests, x.key)
		}
	}
	return len(seen), len(tests) - 1
}

// hostCount is what ran and failed on a host in the current and the last window.
type hostCount struct {
	host        uint32
	since       int64
	ran, failed [2]uint32
}

const keptHosts = 128

func (e *Engine) hostsOf(s *suite) []hostCount {
	value := e.state.Value(keyOf(s.seed, kindHosts, 0))
	if len(value) == 0 {
		return nil
	}
	b := wire.Reader{Bytes: value}
	b.Byte()
	list := make([]hostCount, b.Byte())
	for i := range list {
		list[i] = hostCount{
			host: b.U32(), since: b.Int(), ran: [2]uint32{b.U32(), b.U32()}, failed: [2]uint32{b.U32(), b.U32()},
		}
	}
	return list
}

// countHost adds an upload's executions to its host.
func (e *Engine) countHost(s *suite, host, ran, failed uint32) {
	if host == 0 || s.settings.Storm.Disabled {
		return
	}
	list := e.hostsOf(s)
	at := -1
	for i := range list {
		if list[i].host == host {
			at = i
		}
	}
	if at < 0 {
		if len(list) == keptHosts {
			list = list[1:]
		}
		list = append(list, hostCount{host: host, since: e.now})
		at = len(list) - 1
	}
	h := list[at]
	h.turn(e.now, s.settings.Storm.Window)
	h.ran[0] += ran
	h.failed[0] += failed
	// The newest stands last, so that the one longest idle is dropped first.
	list = append(append(list[:at:at], list[at+1:]...), h)
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindHosts, byte(len(list)))
	for _, x := range list {
		w.U32(x.host)
		w.Int(x.since)
		w.U32(x.ran[0])
		w.U32(x.ran[1])
		w.U32(x.failed[0])
		w.U32(x.failed[1])
	}
	e.state.SetValue(keyOf(s.seed, kindHosts, 0), w.Bytes)
}

// turn moves the window on when its time is over.
func (h *hostCount) turn(now, window int64) {
	switch age := now - h.since; {
	case age < window:
		return
	case age < 2*window:
		h.ran[1], h.failed[1] = h.ran[0], h.failed[0]
	default:
		h.ran[1], h.failed[1] = 0, 0
	}
	h.ran[0], h.failed[0] = 0, 0
	h.since = now
}

// guardHosts guards what failed on a host that fails more than chance allows,
// measured by its peers in the window.
func (e *Engine) guardHosts(s *suite, r *run, sc *scene, at int64) string {
	var list []hostCount
	why := ""
	for n, i := range sc.failed {
		o := &r.outcomes[i]
		if o.host == 0 || sc.known[n] {
			continue
		}
		if list == nil {
			list = e.hostsOf(s)
		}
		if !improbable(list, o.host, at, s.settings) {
			continue
		}
		o.flags |= flagGuarded
		r.touch(i)
		why = "host: one host fails more than chance allows"
	}
	return why
}

func improbable(list []hostCount, host uint32, at int64, settings *Settings) bool {
	var ran, failed, peersRan, peersFailed float64
	for _, h := range list {
		h.turn(at, settings.Storm.Window)
		if h.host == host {
			ran, failed = float64(h.ran[0]+h.ran[1]), float64(h.failed[0]+h.failed[1])
			continue
		}
		peersRan += float64(h.ran[0] + h.ran[1])
		peersFailed += float64(h.failed[0] + h.failed[1])
	}
	if failed < 3 || peersRan == 0 {
		return false
	}
	// One failure more than seen, so that a quiet hour does not make chance impossible.
	expected := ran * (peersFailed + 1) / (peersRan + 1)
	return failed > expected && poissonTail(expected, failed) < settings.Storm.HostChance
}

// poissonTail is the chance of at least n events where mean are expected.
func poissonTail(mean, n float64) float64 {
	term, below := math.Exp(-mean), 0.0
	for k := 0.0; k < n; k++ {
		below += term
		term *= mean / (k + 1)
	}
	return max(0, 1-below)
}
