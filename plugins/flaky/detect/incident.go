package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const stormRule = "storm_guard"

// openIncident says that the infrastructure fails, once until it is quiet again.
func (e *Engine) openIncident(s *suite, r *run, sc *scene, why string, at int64) {
	s.dirty = true
	s.incidentEnds = at + s.settings.Storm.Window
	e.state.SetTimer(suiteKey(s.seed), s.incidentEnds)
	if s.incident {
		return
	}
	s.incident = true
	s.incidents++
	v := e.incident(s, testengine.IncidentOpened, at)
	v.FirstFailure, v.LastFailure = testengine.Time(r.firstEver), testengine.Time(r.last)
	guarded := 0
	for _, i := range sc.failed {
		o := &r.outcomes[i]
		if o.flags&flagGuarded == 0 {
			continue
		}
		guarded++
		if signature := testengine.FormatID(o.full); len(v.Signatures) < keptSignatures && !slices.Contains(v.Signatures, signature) {
			v.Signatures = append(v.Signatures, signature)
		}
	}
	v.Evidence.Note = why
	v.Evidence.Runs = []string{r.id}
	if r.commit != "" {
		v.Evidence.Commits = []string{r.commit}
	}
	if r.branch != "" {
		v.Evidence.Branches = []string{r.branch}
	}
	v.Evidence.Numbers = map[string]float64{
		"tests": float64(guarded), "usual": s.counts[r.class].median(),
	}
	e.emit(Event{Verdict: v})
}

// closeIncident says that no run was caught in a storm for a while.
func (e *Engine) closeIncident(s *suite, due int64) {
	if !s.incident {
		return
	}
	if due < s.incidentEnds {
		e.state.SetTimer(suiteKey(s.seed), s.incidentEnds)
		return
	}
	s.incident, s.dirty = false, true
	v := e.incident(s, testengine.IncidentClosed, due)
	v.Evidence.Note = "no run was caught in a storm for a while"
	e.emit(Event{Verdict: v})
}

func (*Engine) incident(s *suite, kind testengine.VerdictType, at int64) *testengine.Verdict {
	v := &testengine.Verdict{
		Time: testengine.Time(at), Type: kind, Org: s.org, Suite: s.name,
		Rule: testengine.Rule{ID: stormRule, Version: 1}, Probability: 1, Episode: int(s.incidents),
		Signatures: []string{},
		Evidence:   testengine.Evidence{FailureReasons: []string{}, Commits: []string{}, Executions: []string{}},
	}
	v.ID = verdictID(s.seed, 0, "", 0, v)
	return v
}
