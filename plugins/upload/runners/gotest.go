package runners

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// GoTest is the format of go test -json and of gotestsum --jsonfile: an event a line.
const GoTest = "go-jsonl"

const notGoTest = "no line is an event of go test -json"

// buildFailure is the name under which gotestsum files a package that does not
// build or stops outside its tests: the two files of one run agree.
const buildFailure = "TestMain"

// FeedGoTest reads a stream into the builder, one execution for each time a test
// ended; parents and subtests are both tests, the scope is the package. Lines
// that are no JSON (what a compiler printed between them) are remarked and
// passed over. Texts alias the body. The error is an *assemble.SyntaxError.
func FeedGoTest(builder *assemble.Builder, body []byte) error {
	r := newReader(builder, body)
	g := goTest{
		reader: &r, packages: map[string]*goPackage{}, builds: map[string][]decode.Place{},
		ofEvent: decode.ObjectOf("Action", "Package", "Test", "Output", "Elapsed", "ImportPath", "FailedBuild"),
	}
	start, events, lines := r.w.Here(), 0, 0
	for line := range r.w.Lines() {
		lines++
		event := g.event()
		if text, broken := r.w.Broken(line); broken {
			builder.Remark(-1, "line", "no JSON: it was passed over", text)
			continue
		}
		if event.action != "" {
			events++
			g.take(&event)
		}
	}
	for _, p := range g.order {
		g.unfinished(p)
	}
	if lines > 0 && events == 0 {
		r.w.Fail(start, notGoTest)
	}
	return r.w.Err()
}

// LookGoTest checks a stream and counts the tests that ended.
func LookGoTest(body []byte, maxDepth int) (tests int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, events, lines := w.Here(), 0, 0
	for line := range w.Lines() {
		lines++
		action, test := "", false
		for key := range w.Members() {
			switch key {
			case "Action":
				action = w.Text()
			case "Test":
				test = w.Text() != ""
			}
		}
		if _, broken := w.Broken(line); broken || action == "" {
			continue
		}
		events++
		if test && ended(action) {
			tests++
		}
	}
	if lines > 0 && events == 0 {
		w.Fail(start, notGoTest)
	}
	return tests, w.Err()
}

func ended(action string) bool { return action == "pass" || action == "fail" || action == "skip" }

var goWords = map[string]testengine.Result{
	"pass": testengine.ResultPassed, "fail": testengine.ResultFailed, "skip": testengine.ResultSkipped,
}

// goTest is a stream that is being read.
type goTest struct {
	*reader
	packages map[string]*goPackage
	order    []*goPackage
	last     *goPackage // of the event before
	// builds is what the compiler said, by import path.
	builds map[string][]decode.Place
	free   []*goRunning

	ofEvent *decode.Object
}

// goPackage is a package whose tests run.
type goPackage struct {
	name    string
	recent  *goRunning            // the one of the event before, nil when it has ended
	others  map[string]*goRunning // the running ones, but for recent if it is not filed
	started []*goRunning          // in the order of their starts, some of them ended
	output  []decode.Place
	failed  int
}

// goRunning is a test that has not ended: where its output stands. Most end before
// another one has an event, and need not be filed among the others.
type goRunning struct {
	name         string
	output       []decode.Place
	filed, ended bool
}

// goEvent is one line.
type goEvent struct {
	action, pkg, test, importPath, failedBuild string
	output                                     decode.Place
	elapsed                                    float64
	hasElapsed                                 bool
}

func (g *goTest) event() (e goEvent) {
	for key := range g.w.Of(g.ofEvent) {
		switch key {
		case "Action":
			e.action = g.w.Text()
		case "Package":
			e.pkg = g.w.Text()
		case "Test":
			e.test = g.w.Text()
		case "Output":
			e.output = g.w.Here()
		case "Elapsed":
			e.elapsed, e.hasElapsed = g.w.Number()
		case "ImportPath":
			e.importPath = g.w.Text()
		case "FailedBuild":
			e.failedBuild = g.w.Text()
		}
	}
	return e
}

func (g *goTest) take(e *goEvent) {
	if e.action == "build-output" {
		g.builds[e.importPath] = append(g.builds[e.importPath], e.output)
		return
	}
	p := g.packageOf(e.pkg)
	switch {
	case e.action == "run" && e.test != "":
		p.start(e.test, g.make())
	case e.action == "output" && e.test != "":
		if running := p.find(e.test); running != nil {
			running.output = append(running.output, e.output)
		}
	case e.action == "output":
		p.output = append(p.output, e.output)
	case ended(e.action) && e.test != "":
		g.testEnded(p, e)
	case ended(e.action):
		g.packageEnded(p, e)
	}
}

func (g *goTest) packageOf(name string) *goPackage {
	if g.last != nil && g.last.name == name {
		return g.last
	}
	p := g.packages[name]
	if p == nil {
		p = &goPackage{name: name, others: map[string]*goRunning{}}
		g.packages[name] = p
		g.order = append(g.order, p)
	}
	g.last = p
	return p
}

func (g *goTest) make() *goRunning {
	if n := len(g.free); n > 0 {
		running := g.free[n-1]
		g.free = g.free[:n-1]
		return running
	}
	return new(goRunning)
}

func (p *goPackage) start(test string, running *goRunning) {
	if before := p.find(test); before != nil {
		p.end(before)
	}
	*running = goRunning{name: test, output: running.output[:0]}
	p.recent = running
	p.started = append(p.started, running)
}

// find is the running test of that name, or nil.
func (p *goPackage) find(test string) *goRunning {
	if p.recent != nil && p.recent.name != test && !p.recent.filed {
		p.recent.filed = true
		p.others[p.recent.name] = p.recent
	}
	if p.recent == nil || p.recent.name != test {
		p.recent = p.others[test]
	}
	return p.recent
}

// end ends the test that was found last.
func (p *goPackage) end(running *goRunning) {
	if running.filed {
		delete(p.others, running.name)
	}
	running.ended, p.recent = true, nil
}

func (g *goTest) testEnded(p *goPackage, e *goEvent) {
	running := p.find(e.test)
	if running == nil {
		running = &goRunning{name: e.test}
	} else {
		p.end(running)
	}
	if len(p.others) == 0 { // all that have started have ended: their memory is used again
		g.free = append(g.free, p.started...)
		p.started = p.started[:0]
	}
	if e.action == "fail" {
		p.failed++
	}
	x := g.execution(p, running, goWords[e.action])
	if e.hasElapsed && e.elapsed >= 0 {
		x.Duration, x.HasDuration = e.elapsed, true
	}
	g.builder.Accept()
}

// execution begins a record; of a test that passed no output is kept.
func (g *goTest) execution(p *goPackage, running *goRunning, result testengine.Result) *testengine.Execution {
	x := g.builder.Begin(g.w.Remaining())
	x.Scope, x.Name, x.Result = p.name, running.name, result
	if result != testengine.ResultPassed {
		text := g.text(running.output)
		x.FailureReason = goReason(text)
		if result == testengine.ResultFailed {
			g.failures.Add(text)
			x.Detail().FailureExpanded = g.failures.Take()
		}
	}
	return x
}

// goReason is the first line that says something, without the frame of a skip.
func goReason(text string) string {
	for line := range strings.Lines(text) {
		if reason := assemble.Reason(line); reason != "" && !strings.HasPrefix(reason, "--- SKIP") {
			return reason
		}
	}
	return ""
}

// text is the output at those places. The walker stands where it stood.
func (g *goTest) text(output []decode.Place) string {
	here := g.w.Here()
	var text strings.Builder
	for _, at := range output {
		if at != (decode.Place{}) { // an event without Output has none
			g.w.Back(at)
			text.WriteString(g.w.Text())
		}
	}
	g.w.Back(here)
	return assemble.WithoutColours(text.String())
}

// packageEnded tells of what the package's tests do not: that it did not build,
// that it stopped outside of them.
func (g *goTest) packageEnded(p *goPackage, e *goEvent) {
	g.unfinished(p)
	if e.action == "fail" && p.failed == 0 {
		text := g.text(append(g.builds[e.failedBuild], p.output...))
		g.suiteError(p.name, buildFailure, "", text)
	}
	delete(g.packages, p.name)
	g.last = nil
	p.output, p.others, p.recent = nil, nil, nil
}

// unfinished hands in tests that began and did not end: another one stopped the
// process. Nothing is known of them, unless it was theirs.
func (g *goTest) unfinished(p *goPackage) {
	for _, running := range p.started {
		if running.ended {
			continue
		}
		result := testengine.ResultUnknown
		if text := g.text(running.output); strings.Contains(text, "panic: ") || strings.Contains(text, "--- FAIL: "+running.name+" ") {
			result = testengine.ResultFailed
			p.failed++
		}
		g.execution(p, running, result)
		g.builder.Accept()
	}
	p.started = nil
}
