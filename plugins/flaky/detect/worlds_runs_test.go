package detect_test

import (
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// build is one run of a world.
type build struct {
	key, branch, sha string
	base             int // the newest commit of the default branch in it
	at               int64
	main             bool
	own              map[*worldTest]bool
}

// shown is what a build has shown of a test in a variant.
type shown struct{ passed, failed bool }

// execute runs a build: a job for each variant and shard, and the retries.
func (w *world) execute(b build) {
	variants := w.spec.variants
	if len(variants) == 0 {
		variants = []string{""}
	}
	for v, variant := range variants {
		for shard := range w.spec.shards {
			w.job(b, v, variant, shard)
		}
	}
}

func (w *world) job(b build, v int, variant string, shard int) {
	host := w.hosts[w.rng.IntN(len(w.hosts))]
	at := b.at + int64((1+4*w.rng.Float64())*60_000)
	seen := map[*worldTest]*shown{}
	var again []*worldTest
	first := w.attempt(b, v, at, host, shard, nil, seen, 1)
	for _, t := range w.tests {
		if s := seen[t]; s != nil && s.failed && !s.passed {
			again = append(again, t)
		}
	}
	u := w.upload(b, variant, host)
	if w.spec.retry == "upload" && len(again) > 0 {
		first = append(first, w.attempt(b, v, at, host, shard, again, seen, 2)...)
	}
	w.send(at, u, first)
	switch {
	case len(again) == 0 || w.spec.retry == "none" || w.spec.retry == "upload":
	case w.rng.Float64() < .03: // somebody presses the button after hours
		at += int64((1 + 20*w.rng.Float64()) * 3_600_000)
		fallthrough
	default:
		at += int64((1 + 9*w.rng.Float64()) * 60_000)
		rb := b
		if w.spec.retry == "another" {
			rb.key += "-retry"
		}
		if w.rng.Float64() < .7 {
			host = w.hosts[w.rng.IntN(len(w.hosts))]
		}
		if w.rng.Float64() < .1 {
			again = w.shardTests(shard) // the whole job
		}
		w.send(at, w.upload(rb, variant, host), w.attempt(b, v, at, host, shard, again, seen, 2))
	}
	w.account(b, v, seen, at)
}

func (w *world) shardTests(shard int) []*worldTest {
	var list []*worldTest
	for _, t := range w.tests {
		if t.id/9%w.spec.shards == shard {
			list = append(list, t)
		}
	}
	return list
}

func (w *world) attempt(b build, v int, at int64, host string, shard int, only []*worldTest, seen map[*worldTest]*shown, attempt int) []testengine.Execution {
	tests := only
	if tests == nil {
		tests = w.shardTests(shard)
	}
	order := w.rng.IntN(12)
	groups := [4]float64{}
	for g := range groups {
		groups[g] = w.rng.Float64()
	}
	var list []testengine.Execution
	for _, t := range tests {
		message, why := w.fails(t, b, v, at, host, order, groups, attempt)
		x := testengine.Execution{
			TestID: testengine.TestID(testengine.SuiteSeed("local", w.spec.name), t.scope, t.name),
			Scope:  t.scope, Name: t.name, File: t.file, Result: testengine.ResultPassed,
		}
		if why != "" {
			x.Result, x.FailureReason = testengine.ResultFailed, message
		}
		switch roll := w.rng.Float64(); {
		case roll < .002:
			x.Result, x.FailureReason = testengine.ResultUnknown, ""
			why = "unknown"
		case roll < .006:
			x.Result, x.FailureReason = testengine.ResultSkipped, ""
			why = "unknown"
		}
		if x.Result == testengine.ResultFailed {
			t.causes = append(t.causes, cause{at, why, b.key})
		}
		list = append(list, x)
		s := seen[t]
		if s == nil {
			s = &shown{}
			seen[t] = s
		}
		switch why {
		case "flaky":
			s.failed = true
		case "":
			s.passed = true
		case "unknown":
		default:
			s.failed = true
			w.blame(t, b, v, why)
		}
		if why == "flaky" {
			w.note(t, at, b, attempt)
		}
	}
	return list
}

func (w *world) fails(t *worldTest, b build, v int, at int64, host string, order int, groups [4]float64, attempt int) (message, why string) {
	for _, s := range w.storms {
		if at < s.from || at >= s.to || s.onRetry && attempt == 1 || s.host != "" && s.host != host {
			continue
		}
		hit := s.tests == nil && w.rng.Float64() < s.share && (s.kind != "slow" || t.slow) || s.tests[t]
		if !hit || attempt > 1 && !s.onRetry && w.rng.Float64() >= s.outlive {
			continue
		}
		switch {
		case s.kind == "slow":
			return t.name + " timed out after 30 s", "slow host"
		case s.same:
			return "connect ECONNREFUSED 10.0.0.7:5432", s.kind
		}
		return fmt.Sprintf("service for %s gave %d", t.name, 500+w.rng.IntN(4)), s.kind
	}
	if b.own[t] {
		return "expected the new thing", "own"
	}
	for _, r := range w.breaks {
		if b.base < r.from || b.base >= r.to || r.variant >= 0 && r.variant != v {
			continue
		}
		for _, broken := range r.tests {
			if broken == t {
				if r.message == "" {
					return t.message, "break"
				}
				return r.message, "break"
			}
		}
	}
	if t.kind != "" && at >= t.from && at < t.to && (t.variant < 0 || t.variant == v) && w.flakes(t, at, host, order, groups, attempt) {
		return t.message, "flaky"
	}
	return "", ""
}

func (w *world) flakes(t *worldTest, at int64, host string, order int, groups [4]float64, attempt int) bool {
	switch t.kind {
	case "clock":
		return int(at/3_600_000%24) == t.hour && w.rng.Float64() < t.rate
	case "order":
		return order == t.id%12 && (attempt == 1 || w.rng.Float64() < .3)
	case "host":
		return host == t.host && w.rng.Float64() < t.rate
	case "group":
		return groups[t.group] < t.rate
	case "burst":
		for _, s := range t.burst {
			if at >= s.from && at < s.to {
				return w.rng.Float64() < t.rate
			}
		}
		return false
	}
	return w.rng.Float64() < t.rate
}

func (w *world) upload(b build, variant, host string) *testengine.Upload {
	u := &testengine.Upload{
		Org: "local", Suite: w.spec.name, RunKey: b.key, Branch: b.branch, CommitSHA: b.sha,
		Tags: []testengine.Tag{{Key: "ci.worker.id", Value: host}},
	}
	if variant != "" {
		u.Tags = append(u.Tags, testengine.Tag{Key: "host.os", Value: variant})
	}
	return u
}

func (w *world) send(at int64, u *testengine.Upload, list []testengine.Execution) {
	w.openings = append(w.openings, at)
	u.ID = fmt.Sprintf("%s-%d", w.spec.name, len(w.openings))
	w.uploads = append(w.uploads, worldUpload{at: at, upload: u, list: list})
	if w.rng.Float64() < .01 { // a part arrives late
		part := len(list) / 2
		if part > 0 {
			late := *u
			late.ID += "-late"
			w.uploads[len(w.uploads)-1].list = list[:part]
			w.uploads = append(w.uploads, worldUpload{at: at + int64(w.rng.ExpFloat64()*3_600_000), upload: &late, list: list[part:]})
		}
	}
}

// note and account keep the truth for the score.
func (w *world) note(t *worldTest, at int64, b build, attempt int) {
	if attempt == 1 && t.lastRun != b.key {
		t.lastRun = b.key
		t.failures = append(t.failures, at)
	}
}

func (w *world) blame(t *worldTest, b build, v int, why string) {
	if why != "break" || !b.main {
		return
	}
	for _, r := range w.breaks {
		if b.base >= r.from && b.base < r.to && (r.variant < 0 || r.variant == v) {
			r.runs++
		}
	}
}

func (w *world) account(b build, v int, seen map[*worldTest]*shown, at int64) {
	for t, s := range seen {
		if t.kind == "" || len(t.failures) == 0 || !s.failed {
			continue
		}
		if t.failures[len(t.failures)-1] < b.at {
			continue // it was no flake
		}
		if s.passed {
			t.flips++
		}
		if s.passed || b.main {
			t.evident++
		}
	}
}
