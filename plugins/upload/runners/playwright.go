package runners

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// Playwright is the format of Playwright's reporter json.
const Playwright = "playwright-json"

const notPlaywright = "there are no suites: playwright test --reporter json writes them"

// FeedPlaywright reads a file into the builder, one execution an attempt: a
// test that Playwright calls flaky is a failed one and a passed one. Texts alias
// it. The error is an *assemble.SyntaxError.
func FeedPlaywright(builder *assemble.Builder, body []byte) error {
	r := newReader(builder, body)
	p := playwright{
		reader:   &r,
		ofSpec:   decode.ObjectOf("title", "file", "line", "column", "tests"),
		ofTest:   decode.ObjectOf("projectName", "expectedStatus", "annotations", "results"),
		ofResult: decode.ObjectOf("status", "duration", "errors"),
	}
	var suites decode.Place
	start, found, configured := r.w.Here(), false, false
	for key := range r.w.Members() {
		switch key {
		case "config":
			for range r.w.Member("rootDir") {
				p.root = r.w.Text()
			}
			configured = true
		case "suites":
			if found = true; configured { // the order that Playwright writes
				p.suites("")
			} else {
				suites = r.w.Later(suites)
			}
		case "errors":
			for range r.w.Elements() {
				p.globals = append(p.globals, p.problem())
			}
		}
	}
	r.w.Reread(suites, func() { p.suites("") })
	if _, err := looked(r.w, start, found, notPlaywright, 0); err != nil {
		return err
	}
	for _, global := range p.globals {
		file := p.path(global.file)
		name := file
		if name == "" {
			name = assemble.Reason(global.text)
		}
		if name != "" {
			r.suiteError("", name, file, global.text)
		}
	}
	return r.w.Err()
}

// LookPlaywright checks a file and counts the attempts.
func LookPlaywright(body []byte, maxDepth int) (attempts int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, found := w.Here(), false
	for range w.Member("suites") {
		found = true
		attempts = countSuites(w)
	}
	return looked(w, start, found, notPlaywright, attempts)
}

func countSuites(w *decode.Walker) (attempts int) {
	for range w.Elements() {
		for key := range w.Members() {
			switch key {
			case "suites":
				attempts += countSuites(w)
			case "specs":
				for range w.Elements() {
					attempts += countTests(w)
				}
			}
		}
	}
	return attempts
}

func countTests(w *decode.Walker) (attempts int) {
	for range w.Each("tests") {
		results := 0
		for range w.Each("results") {
			results++
		}
		attempts += max(1, results)
	}
	return attempts
}

// playwright is a file that is being read.
type playwright struct {
	*reader
	root string

	ofSpec, ofTest, ofResult *decode.Object
	// The file that was asked for last, and its path.
	from, to string
	runs     []pwTest // of the spec that is being read
	globals  []pwError
}

type pwError struct{ text, file string }

// suites reads suites below one whose titles are joined, each with a space before it.
func (p *playwright) suites(above string) {
	for range p.w.Elements() {
		p.suite(above)
	}
}

func (p *playwright) suite(above string) {
	var suites, specs decode.Place
	titles, titled := "", false
	for key := range p.w.Members() {
		switch key {
		case "title":
			titles, titled = p.w.Join(above, " ", p.w.Text()), true
		case "suites":
			if titled { // the order that Playwright writes
				p.suites(titles)
			} else {
				suites = p.w.Later(suites)
			}
		case "specs":
			if titled {
				p.specs(titles)
			} else {
				specs = p.w.Later(specs)
			}
		}
	}
	if !titled {
		titles = above + " "
	}
	p.w.Reread(specs, func() { p.specs(titles) })
	p.w.Reread(suites, func() { p.suites(titles) })
}

func (p *playwright) specs(titles string) {
	for range p.w.Elements() {
		p.spec(titles)
	}
}

// spec reads what came of one test. Its file and line stand behind the attempts.
func (p *playwright) spec(titles string) {
	var title, file, line, column string
	p.runs = p.runs[:0]
	for key := range p.w.Of(p.ofSpec) {
		switch key {
		case "title":
			title = p.w.Text()
		case "file":
			file = p.w.Text()
		case "line":
			line = p.w.Raw()
		case "column":
			column = p.w.Raw()
		case "tests":
			for at := range p.w.Elements() {
				p.test(at)
			}
		}
	}
	file = p.path(file)
	location, run := p.located(file, line, column), -1
	var scope string
	p.release(func(n int, x *record, e *testengine.Execution) {
		for run < 0 || n >= p.runs[run].to {
			run++
			scope = p.w.Join(" ", p.runs[run].project, titles, " ", title)
		}
		e.Scope, e.Name, e.File, e.Location = scope, title, file, location
		p.judge(e, p.runs[run].expected, x.word)
		for _, tag := range p.runs[run].tags {
			p.builder.Tag(e, tag.Key, tag.Value)
		}
	})
}

// pwTest is what the attempts of a test in one project share. They are held up to
// the place to. The scope is what the collector sends: project, file, describe
// blocks and title, in one line that begins with a space for the root's empty name.
type pwTest struct {
	project, expected string
	tags              []testengine.Tag
	to                int
}

func (p *playwright) test(at decode.Place) {
	t := pwTest{expected: "passed"}
	from := len(p.held)
	for key := range p.w.Of(p.ofTest) {
		switch key {
		case "projectName":
			t.project = p.w.Text()
		case "expectedStatus":
			t.expected = p.w.Text()
		case "annotations":
			t.tags = p.annotations()
		case "results":
			for at := range p.w.Elements() {
				p.attempt(at)
			}
		}
	}
	if len(p.held) == from { // the run ended before it began
		p.held = append(p.held, record{word: "skipped", from: at, to: p.w.Here()})
	}
	t.to = len(p.held)
	p.runs = append(p.runs, t)
}

// annotations are tags where their type begins with @.
func (p *playwright) annotations() (tags []testengine.Tag) {
	for range p.w.Elements() {
		var kind, text string
		for key := range p.w.Members() {
			switch key {
			case "type":
				kind = p.w.Text()
			case "description":
				text = p.w.Text()
			}
		}
		if key, found := strings.CutPrefix(kind, "@"); found && text != "" {
			tags = append(tags, testengine.Tag{Key: key, Value: text})
		}
	}
	return tags
}

func (p *playwright) attempt(at decode.Place) {
	x, ok := p.hold(at)
	if !ok {
		return
	}
	for key := range p.w.Of(p.ofResult) {
		switch key {
		case "status":
			x.word = p.w.Text()
		case "duration":
			x.duration, x.timed = p.duration(1000)
		case "errors":
			for range p.w.Elements() {
				found := p.problem()
				if x.reason == "" {
					x.reason = assemble.Reason(found.text)
				}
				said, stack := splitStack(found.text)
				p.failures.Add(said, stack...)
			}
		}
	}
	p.keep(x)
}

// judge says what an attempt is: one that fails as test.fail() expects has
// passed, one that passes against it has failed.
func (p *playwright) judge(e *testengine.Execution, expected, status string) {
	switch {
	case status == "skipped":
		e.Result = testengine.ResultSkipped
	case status == "interrupted":
		e.Result = testengine.ResultUnknown
	case status == expected:
		e.Result, e.FailureReason = testengine.ResultPassed, ""
	case status == "passed":
		e.Result, e.FailureReason = testengine.ResultFailed, "it was expected to fail, and passed"
	case status == "failed" || status == "timedOut":
		e.Result = testengine.ResultFailed
		if e.FailureReason == "" {
			e.FailureReason = status
		}
	case status != "":
		p.builder.Remark(p.builder.Index(), "status", "unknown word: kept as unknown", status)
	}
}

// path is a file of the report from the folder of the run.
func (p *playwright) path(file string) string {
	if file == "" || file[0] == '/' || p.root == "" {
		return file
	}
	if file != p.from {
		p.from, p.to = file, p.root+"/"+file
	}
	return p.to
}

// problem reads an error: what it says, and the file that it stands in.
func (p *playwright) problem() (found pwError) {
	stack := ""
	for key := range p.w.Members() {
		switch key {
		case "message", "value":
			found.text = assemble.WithoutColours(p.w.Text())
		case "stack":
			stack = assemble.WithoutColours(p.w.Text())
		case "location":
			for range p.w.Member("file") {
				found.file = p.w.Text()
			}
		}
	}
	if found.text == "" {
		found.text = stack
	}
	return found
}
