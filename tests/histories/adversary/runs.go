package adversary

import (
	"fmt"
	"slices"
	"strings"
)

// build is one run of a suite.
type build struct {
	kind   string // main, work, queue, again
	key    string
	branch string
	sha    string
	base   int // the newest commit of the default branch in it
	at     int64
	own    map[*Test]bool // what the work itself breaks
	only   int            // in this variant only, -1: in all
	number int
}

// job is one shard of a build in one variant, at one attempt.
type job struct {
	*build
	id      string
	variant int
	shard   int
	attempt int
	host    string
	start   int64
	length  int64
	seed    int // of the order of tests
	luck    [3]float64
}

// execution is one test run once, as it will be told.
type execution struct {
	test    *Test
	result  string
	message string
}

// sighting is a test on a commit in a variant; result what was seen there.
type sighting struct {
	test    *Test
	variant int
	sha     string
}

type result struct {
	passed bool
	failed []failure
}

// failure is a failure by a test's own doing.
type failure struct {
	at   int64
	run  string
	main bool
}

// play builds everything, oldest first.
func (s *Suite) play() {
	var builds []*build
	for i := range s.commits {
		builds = append(builds, s.mainBuilds(i)...)
		for n := s.shape.work; n > 0; n-- {
			if s.chance(n) {
				builds = append(builds, s.workBuilds(i)...)
			}
		}
	}
	slices.SortStableFunc(builds, func(a, b *build) int { return int(a.at - b.at) })
	for _, b := range builds {
		s.execute(b)
	}
}

func (s *Suite) newBuild(kind, branch, sha string, base int, at int64) *build {
	s.runs++
	return &build{
		kind: kind, key: fmt.Sprintf("%s/%d", s.Name, s.runs), branch: branch, sha: sha, base: base, at: at, number: s.runs, only: -1,
	}
}

func (s *Suite) mainBuilds(i int) []*build {
	c := s.commits[i]
	builds := []*build{s.newBuild("main", s.shape.branch, c.sha, i, c.at)}
	if s.chance(.02) {
		builds = append(builds, s.newBuild("again", s.shape.branch, c.sha, i, c.at+int64(s.between(1, 48)*float64(hour))))
	}
	if s.shape.queue {
		previous := s.commits[max(0, i-1)].sha
		branch := fmt.Sprintf("gh-readonly-queue/%s/pr-%d-%s", s.shape.branch, 1000+i, previous)
		builds = append(builds, s.newBuild("queue", branch, c.sha, i, c.at-int64(s.between(8, 30)*float64(minute))))
		if s.chance(.08) { // thrown out again
			bad := s.newBuild("queue", branch+"x", s.sha(), i, c.at-int64(s.between(8, 50)*float64(minute)))
			bad.own = s.some(1 + s.rng.IntN(3))
			builds = append(builds, bad)
		}
	}
	return builds
}

// workBuilds are the pushes to one branch.
func (s *Suite) workBuilds(base int) (builds []*build) {
	s.branches++
	branch := fmt.Sprintf("team/change-%d", s.branches)
	at := s.commits[base].at + int64(s.rng.Float64()*float64(3*hour))
	var own map[*Test]bool
	only := -1
	if s.habits.split > 0 && s.chance(s.habits.split) {
		only = s.rng.IntN(max(1, len(s.shape.variants)))
	}
	for push := range 1 + s.rng.IntN(3) {
		switch {
		case push == 0 && s.chance(.3):
			own = s.some(1 + s.rng.IntN(5))
		case s.chance(.6):
			own = nil // mended by this push
		}
		b := s.newBuild("work", branch, s.sha(), base, at)
		b.own, b.only = own, only
		builds = append(builds, b)
		if s.chance(.08) { // the same commit, merged with a newer base
			moved := *b
			moved.base = min(base+1+s.rng.IntN(8), len(s.commits)-1)
			moved.at = max(at+hour/2, s.commits[moved.base].at+hour/10)
			if s.chance(.7) {
				s.runs++
				moved.key = fmt.Sprintf("%s/%d", s.Name, s.runs)
			}
			builds = append(builds, &moved)
		}
		at += int64(s.between(.2, 9) * s.habits.quick * float64(hour))
	}
	return builds
}

func (s *Suite) execute(b *build) {
	for variant := range max(1, len(s.shape.variants)) {
		for shard := range s.shape.shards {
			j := s.newJob(b, variant, shard, 1, b.at+int64(s.between(.2, 3)*float64(minute)))
			s.tell(j, s.first(j))
		}
	}
	if s.shape.retry == "rebuild" && b.kind != "again" && s.failedIn(b) && s.chance(s.shape.button) {
		again := *b
		s.runs++
		again.key, again.at = fmt.Sprintf("%s/%d", s.Name, s.runs), b.at+int64(s.between(6, 50)*float64(minute))
		j := s.newJob(&again, 0, 0, 2, again.at)
		s.tell(j, s.run(j, nil))
	}
}

// failedIn says whether a test of the build never passed in it.
func (s *Suite) failedIn(b *build) bool {
	for _, t := range s.Tests {
		if r := s.results[sighting{t, 0, b.sha}]; r != nil && !r.passed {
			return true
		}
	}
	return false
}

func (s *Suite) newJob(b *build, variant, shard, attempt int, start int64) *job {
	s.branches++
	j := &job{
		build: b, variant: variant, shard: shard, attempt: attempt, start: start, seed: s.rng.IntN(5000),
		length: int64(s.between(1.5, 11) * float64(minute)), host: s.hosts[s.rng.IntN(len(s.hosts))],
		id: fmt.Sprintf("job-%d", s.branches),
	}
	for i := range j.luck {
		j.luck[i] = s.rng.Float64()
	}
	return j
}

// first runs a job and what its runner runs again, and tells of it as the
// collector does. It returns what is left to tell.
func (s *Suite) first(j *job) []execution {
	list := s.run(j, nil)
	switch s.shape.retry {
	case "inside":
		for i := range list {
			s.runInside(j, &list[i])
		}
	case "extra":
		if tests := failing(list); len(tests) > 0 {
			again := *j
			again.attempt = 2
			list = append(list, s.run(&again, tests)...)
		}
	case "failed":
		for attempt := 2; attempt <= 3 && len(failing(list)) > 0; attempt++ {
			s.tell(j, list)
			again := *j
			again.attempt, again.start, again.length = attempt, j.start+j.length+minute/4, minute
			j, list = &again, s.run(&again, failing(list))
		}
	case "job":
		if len(failing(list)) > 0 && s.chance(.85) {
			s.tell(j, list)
			again := s.newJob(j.build, j.variant, j.shard, 2, j.start+j.length+int64(s.between(.5, 4)*float64(minute)))
			if s.sticky {
				again.host = j.host
			}
			j, list = again, s.run(again, nil)
			s.tell(j, list)
			return nil
		}
	}
	if len(failing(list)) > 0 && s.shape.retry != "rebuild" && s.chance(s.shape.button) {
		s.tell(j, list)
		again := s.newJob(j.build, j.variant, j.shard, 2, j.start+j.length+int64(s.between(10, 240)*float64(minute)))
		s.tell(again, s.run(again, nil))
		return nil
	}
	return list
}

// failing are the tests whose newest result is a failure.
func failing(list []execution) (tests []*Test) {
	passed := map[*Test]bool{}
	for i := range list {
		passed[list[i].test] = list[i].result != "failed"
	}
	for i := range list {
		if !passed[list[i].test] {
			passed[list[i].test] = true
			tests = append(tests, list[i].test)
		}
	}
	return tests
}

// runInside lets the runner retry a failed test twice by itself.
func (s *Suite) runInside(j *job, x *execution) {
	again := *j
	for again.attempt = 2; again.attempt <= 3 && x.result == "failed"; again.attempt++ {
		if message, why := s.fails(x.test, &again, j.start+j.length); why == "" {
			s.results[sighting{x.test, j.variant, j.sha}].passed = true
			x.result = "passed" // the reason of the first attempt stays
		} else {
			x.message = message
		}
	}
}

// run runs the tests of a shard, or only some tests.
func (s *Suite) run(j *job, only []*Test) (list []execution) {
	tests := only
	if tests == nil {
		for _, t := range s.Tests {
			if t.id/7%s.shape.shards == j.shard {
				tests = append(tests, t)
			}
		}
	}
	for i, t := range tests {
		at := j.start + int64(float64(j.length)*float64(i)/float64(len(tests)))
		x := execution{test: t, result: "passed"}
		switch roll := s.rng.Float64(); {
		case roll < .001:
			x.result = ""
		case roll < .004:
			x.result = "skipped"
		default:
			s.note(j, &x, at)
		}
		list = append(list, x)
	}
	return list
}

// note lets a test pass or fail, and keeps the truth of it.
func (s *Suite) note(j *job, x *execution, at int64) {
	key := sighting{x.test, j.variant, j.sha}
	r := s.results[key]
	if r == nil {
		r = &result{}
		s.results[key] = r
	}
	message, why := s.fails(x.test, j, at)
	if why == "" {
		r.passed = true
		return
	}
	x.result, x.message = "failed", message
	x.test.Causes = append(x.test.Causes, Cause{At: at, Run: j.key, Why: why, SHA: j.sha[:7], Host: j.host})
	if why == "flaky" {
		r.failed = append(r.failed, failure{at: j.start + j.length, run: j.key, main: j.kind == "main"})
	}
}

// fails says why a test fails now, "" when it passes.
func (s *Suite) fails(t *Test, j *job, at int64) (message, why string) {
	if st := s.struck(t, j, at); st != nil {
		return st.message(s, t), "storm " + st.Kind
	}
	if j.own[t] && (j.only < 0 || j.only == j.variant) {
		return "the change does not do what it says", "work"
	}
	if b := s.broken(t, j); b != nil {
		if j.kind == "main" && j.attempt == 1 {
			if b.Runs[t] == nil {
				b.Runs[t] = map[int]int64{}
			}
			b.Runs[t][j.base] = j.start + j.length
		}
		return b.words(s, t), "break " + b.Kind
	}
	if s.flakes(t, j, at) {
		return s.words(t), "flaky"
	}
	return "", ""
}

// settle works out which failing runs can be seen to be flaky.
func (s *Suite) settle() {
	for key, r := range s.results {
		for _, f := range r.failed {
			key.test.add(Failing{At: f.at, Run: f.run, Evident: r.passed || f.main, main: f.main && !r.passed})
		}
	}
	for _, t := range s.Tests {
		slices.SortFunc(t.Failing, func(a, b Failing) int { return int(a.At - b.At) })
		if strings.HasPrefix(t.Kind, "stubborn") {
			t.doubt()
		}
	}
	s.results = nil
}

func (t *Test) add(f Failing) {
	for i := range t.Failing {
		if t.Failing[i].Run == f.Run {
			t.Failing[i].Evident = t.Failing[i].Evident || f.Evident
			t.Failing[i].main = t.Failing[i].main && f.main
			t.Failing[i].At = min(t.Failing[i].At, f.At)
			return
		}
	}
	t.Failing = append(t.Failing, f)
}
