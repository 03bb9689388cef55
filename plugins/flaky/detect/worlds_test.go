package detect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// A world is a suite with a known truth: which tests are flaky and why, what
// broke when, and which storms passed over it. It shares nothing with
// ci_simulator, so that neither is tuned to the other.
type world struct {
	rng       *rand.Rand
	spec      worldSpec
	tests     []*worldTest
	breaks    []*worldBreak
	storms    []*worldStorm
	hosts     []string
	uploads   []worldUpload
	sequence  int
	mainShas  []string
	mainTimes []int64
	openings  []int64
}

type worldSpec struct {
	name       string
	seed       uint64
	days       int
	tests      int
	flaky      int
	breaks     int
	storms     int
	minis      int
	slowHosts  int
	certs      int
	variants   []string
	shards     int
	gap        float64 // minutes between commits of the default branch
	branchRuns float64 // runs on branches for each commit
	branch     string
	retry      string // none, inside, upload, later, another
	queue      bool
	shared     int // pairs of tests under one identity
}

type worldTest struct {
	id       int
	scope    string
	name     string
	file     string
	slow     bool
	kind     string // of flakiness, "" for a stable test
	rate     float64
	from, to int64 // while it is flaky
	hour     int
	group    int
	burst    []span
	host     string
	variant  int // -1 all
	message  string

	lastRun  string
	failures []int64 // failing runs by its own doing that can be seen
	evident  int     // of these, same-commit pairs or failures on the default branch
	flips    int
	causes   []cause // of all its failures
}

type cause struct {
	at  int64
	why string
	run string
}

type span struct{ from, to int64 }

type worldBreak struct {
	tests    []*worldTest
	from, to int // commits of the default branch, [from, to)
	variant  int
	message  string
	runs     int // failing runs on the default branch
}

type worldStorm struct {
	span
	tests   map[*worldTest]bool
	host    string
	kind    string
	share   float64
	onRetry bool
	same    bool
	outlive float64
}

type worldUpload struct {
	at     int64
	upload *testengine.Upload
	list   []testengine.Execution
}

const worldStart = int64(1_790_000_000_000)

func newWorld(spec worldSpec) *world {
	w := &world{rng: rand.New(rand.NewPCG(spec.seed, 99)), spec: spec}
	for i := range max(2, spec.shards*2) {
		w.hosts = append(w.hosts, fmt.Sprintf("agent-%s-%d", spec.name, i))
	}
	w.addTests()
	w.addCommits()
	w.addBreaks()
	w.addStorms()
	return w
}

func (w *world) end() int64 { return worldStart + int64(w.spec.days)*86_400_000 }

func (w *world) addTests() {
	kinds := []string{"even", "even", "even", "rare", "burst", "clock", "order", "host", "group", "new", "healing", "often"}
	for i := range w.spec.tests {
		t := &worldTest{
			id: i, scope: fmt.Sprintf("Scope%d", i/9), name: fmt.Sprintf("does thing %d", i), variant: -1,
			file: fmt.Sprintf("spec/part_%d_spec.rb", i/9), slow: w.rng.Float64() < .2, from: worldStart, to: w.end(),
		}
		t.message = []string{
			fmt.Sprintf("expected %d to equal %d", i, i+1), "Timeout waiting for element", "expected true to be false",
			fmt.Sprintf("record %d was not found by %s", i, t.name),
		}[w.rng.IntN(4)]
		w.tests = append(w.tests, t)
	}
	picked := w.rng.Perm(w.spec.tests)
	for n := range w.spec.flaky {
		w.makeFlaky(w.tests[picked[n]], kinds[w.rng.IntN(len(kinds))], n)
	}
	for n := range w.spec.shared {
		a, b := w.tests[picked[len(picked)-1-2*n]], w.tests[picked[len(picked)-2-2*n]]
		b.scope, b.name = a.scope, a.name
	}
}

func (w *world) makeFlaky(t *worldTest, kind string, n int) {
	t.kind = kind
	t.rate = math.Exp(math.Log(.01) + w.rng.Float64()*math.Log(15))
	length := w.end() - worldStart
	switch kind {
	case "rare":
		t.rate = .002 + .006*w.rng.Float64()
	case "often":
		t.rate = .2 + .4*w.rng.Float64()
	case "clock":
		t.hour, t.rate = 6+w.rng.IntN(14), .5
	case "host":
		t.host, t.rate = w.hosts[w.rng.IntN(len(w.hosts))], .3
	case "order":
		t.rate = .08
	case "group":
		t.group = 1 + n%3
		t.rate = .04
	case "new":
		t.from = worldStart + int64(w.rng.Float64()*.6*float64(length))
	case "healing":
		t.to = worldStart + length/2
	case "burst":
		t.rate = .3
		for at := worldStart; at < w.end(); {
			at += int64(w.rng.ExpFloat64() * 5 * 86_400_000)
			stop := at + int64(w.rng.ExpFloat64()*20*3_600_000)
			t.burst = append(t.burst, span{at, stop})
			at = stop
		}
	}
	if len(w.spec.variants) > 1 && w.rng.Float64() < .3 {
		t.variant = w.rng.IntN(len(w.spec.variants))
	}
}

func (w *world) addCommits() {
	at := worldStart + 60_000
	for at < w.end() {
		w.mainTimes = append(w.mainTimes, at)
		w.mainShas = append(w.mainShas, fmt.Sprintf("m%s%05d", w.spec.name, len(w.mainTimes)))
		step := w.rng.ExpFloat64() * w.spec.gap * 60_000
		if h := at / 3_600_000 % 24; h < 6 || h > 20 {
			step *= 5
		}
		at += int64(step) + 30_000
	}
}

func (w *world) addBreaks() {
	for range w.spec.breaks {
		size := []int{1, 1, 1, 2, 3, 6, 15}[w.rng.IntN(7)]
		from := w.rng.IntN(len(w.mainTimes))
		b := &worldBreak{from: from, variant: -1}
		b.to = from + 1 + int(w.rng.ExpFloat64()*6)
		if len(w.spec.variants) > 1 && w.rng.Float64() < .3 {
			b.variant = w.rng.IntN(len(w.spec.variants))
		}
		first := w.rng.IntN(len(w.tests))
		for i := range size {
			t := w.tests[(first+i)%len(w.tests)]
			if t.kind == "" || w.rng.Float64() < .5 {
				b.tests = append(b.tests, t)
			}
		}
		b.message = []string{"undefined method `total' for nil", "", "expected 200 but got 500"}[w.rng.IntN(3)]
		w.breaks = append(w.breaks, b)
		for w.rng.Float64() < .3 { // relanded
			again := *b
			again.from = b.to + 1 + w.rng.IntN(12)
			again.to = again.from + 1 + int(w.rng.ExpFloat64()*2)
			w.breaks = append(w.breaks, &again)
			b = &again
		}
	}
}

func (w *world) addStorms() {
	moment := func() int64 { return worldStart + int64(w.rng.Float64()*float64(w.end()-worldStart)) }
	pick := func(n int) map[*worldTest]bool {
		tests := map[*worldTest]bool{}
		for len(tests) < n {
			tests[w.tests[w.rng.IntN(len(w.tests))]] = true
		}
		return tests
	}
	for range w.spec.storms {
		from := moment()
		w.storms = append(w.storms, &worldStorm{
			span: span{from, from + int64((2+28*w.rng.Float64())*60_000)}, kind: "big", same: w.rng.Float64() < .5,
			share: .05 + .9*w.rng.Float64()*w.rng.Float64(), outlive: .5, onRetry: w.rng.Float64() < .15,
		})
	}
	for range w.spec.minis {
		from := moment()
		w.storms = append(w.storms, &worldStorm{
			span: span{from, from + int64((2+20*w.rng.Float64())*60_000)}, kind: "mini", same: w.rng.Float64() < .3,
			tests: pick(2 + w.rng.IntN(1+w.rng.IntN(8))), outlive: .3 * w.rng.Float64(), share: 1,
			onRetry: w.rng.Float64() < .15,
		})
	}
	for range w.spec.slowHosts {
		from := moment()
		w.storms = append(w.storms, &worldStorm{
			span: span{from, from + int64((1+5*w.rng.Float64())*3_600_000)}, kind: "slow",
			host: w.hosts[w.rng.IntN(len(w.hosts))], share: .02 + .1*w.rng.Float64(), outlive: .1,
		})
	}
	for range w.spec.certs {
		from := moment()
		w.storms = append(w.storms, &worldStorm{
			span: span{from, from + int64((1+9*w.rng.Float64())*3_600_000)}, kind: "cert", same: w.rng.Float64() < .5,
			tests: pick(1 + w.rng.IntN(12)), share: 1, outlive: 1,
		})
	}
}

// play lets the world happen and returns its uploads in order of arrival.
func (w *world) play() []worldUpload {
	for i, at := range w.mainTimes {
		w.mainRun(i, at)
		for n := w.spec.branchRuns; n > 0; n-- {
			if w.rng.Float64() < n {
				w.branchRun(i, at+int64(w.rng.Float64()*w.spec.gap*60_000))
			}
		}
	}
	sort.SliceStable(w.uploads, func(i, j int) bool { return w.uploads[i].at < w.uploads[j].at })
	return w.uploads
}

func (w *world) mainRun(i int, at int64) {
	key := fmt.Sprintf("run-%s-m%d", w.spec.name, i)
	if w.spec.queue {
		w.execute(build{key: "q" + key, branch: "gh-readonly-queue/main/pr-" + w.mainShas[i], sha: "q" + w.mainShas[i], base: i, at: at - 900_000, main: false})
	}
	if w.spec.branch != "" {
		w.execute(build{key: key, branch: w.spec.branch, sha: w.mainShas[i], base: i, at: at, main: true})
	}
	if w.rng.Float64() < .02 { // built again, hours later
		w.execute(build{key: key + "-again", branch: w.spec.branch, sha: w.mainShas[i], base: i, at: at + int64(w.rng.Float64()*30*3_600_000), main: true})
	}
}

func (w *world) branchRun(i int, at int64) {
	w.sequence++
	b := build{
		key: fmt.Sprintf("run-%s-b%d", w.spec.name, w.sequence), branch: fmt.Sprintf("feature/%d", w.sequence%40),
		sha: fmt.Sprintf("b%s%05d", w.spec.name, w.sequence), base: i, at: at,
	}
	if w.rng.Float64() < .25 { // the work itself is broken
		b.own = map[*worldTest]bool{}
		for range 1 + w.rng.IntN(4) {
			b.own[w.tests[w.rng.IntN(len(w.tests))]] = true
		}
	}
	w.execute(b)
	if w.rng.Float64() < .12 { // run again against a moved base
		b.base = min(i+1+w.rng.IntN(6), len(w.mainTimes)-1)
		b.at = max(at, w.mainTimes[b.base]) + 600_000
		if w.rng.Float64() < .5 {
			b.key += "-rebuilt"
		}
		w.execute(b)
	}
}
