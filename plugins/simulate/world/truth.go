package world

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// Truth is what the world knows about what it has written so far.
type Truth struct {
	Seed         uint64       `json:"seed"`
	Organization string       `json:"organization"`
	Tests        []Test       `json:"tests"`
	Regressions  []Regression `json:"regressions"`
	Storms       []Storm      `json:"storms"`
}

// Test is the truth about one test.
type Test struct {
	Suite  string `json:"suite"`
	TestID string `json:"test_id"`
	Scope  string `json:"scope"`
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	// Rate is the chance that it fails while its condition holds; 0 for stable tests.
	Rate      float64 `json:"rate,omitempty"`
	Condition string  `json:"condition,omitempty"`
	// Since and Until bound the flakiness in real unix milliseconds; Until is 0 when it was not repaired.
	Since int64 `json:"since,omitempty"`
	Until int64 `json:"until,omitempty"`
	// Executions counts those written so far, skipped ones not included.
	Executions int      `json:"executions"`
	Failures   Failures `json:"failures"`
}

// Failures counts failed executions by their cause.
type Failures struct {
	Flaky      int `json:"flaky"`
	Regression int `json:"regression"`
	Storm      int `json:"storm"`
}

// Truth returns what is known: of all tests, or of those only that are flaky or have failed.
func (w *World) Truth(stable bool) Truth {
	truth := Truth{Seed: w.config.Seed, Organization: w.config.Organization, Tests: []Test{}}
	for _, s := range w.suites {
		for i := range s.tests {
			t := s.truthOf(&s.tests[i])
			if stable || t.Kind != Stable || t.Failures != (Failures{}) {
				truth.Tests = append(truth.Tests, t)
			}
		}
	}
	truth.Regressions = make([]Regression, 0, len(w.truthBreaks))
	for _, b := range w.truthBreaks {
		truth.Regressions = append(truth.Regressions, *b)
	}
	truth.Storms = make([]Storm, 0, len(w.truthStorms))
	for _, s := range w.truthStorms {
		truth.Storms = append(truth.Storms, *s)
	}
	return truth
}

func (s *suite) truthOf(t *test) Test {
	offset := s.world.offset
	truth := Test{
		Suite: s.name, TestID: formatTest(t), Scope: t.scope, Name: t.name, Kind: Stable, Executions: t.executions,
		Failures: Failures{Flaky: t.failures[byFlake], Regression: t.failures[byRegression], Storm: t.failures[byStorm]},
	}
	if f := t.flake; f != nil {
		truth.Kind, truth.Rate, truth.Condition, truth.Since = f.kind, f.rate, f.condition, f.since+offset
		if f.until > 0 {
			truth.Until = f.until + offset
		}
	}
	return truth
}

func formatTest(t *test) string { return testengine.FormatID(t.id) }
