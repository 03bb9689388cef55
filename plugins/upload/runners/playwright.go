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
	p := playwright{reader: &r}
	start, found := r.w.Here(), false
	for key := range r.w.Members() {
		switch key {
		case "config":
			p.config()
		case "suites":
			found = true
			p.suites(-1)
		case "errors":
			for range r.w.Elements() {
				p.globals = append(p.globals, p.problem())
			}
		}
	}
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
	for i := range p.specs {
		p.tests(&p.specs[i])
	}
	return r.w.Err()
}

// LookPlaywright checks a file and counts the attempts.
func LookPlaywright(body []byte, maxDepth int) (attempts int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, found := w.Here(), false
	for key := range w.Members() {
		if key == "suites" {
			found = true
			attempts = countSuites(w)
		}
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
	for key := range w.Members() {
		if key != "tests" {
			continue
		}
		for range w.Elements() {
			results := 0
			for key := range w.Members() {
				if key == "results" {
					for range w.Elements() {
						results++
					}
				}
			}
			attempts += max(1, results)
		}
	}
	return attempts
}

// playwright is a file that is being read: first its tree, then the tests, since
// what names a test may stand behind it.
type playwright struct {
	*reader
	root string
	// The file that was asked for last, and its path.
	from, to string
	tree     []pwSuite
	specs    []pwSpec
	globals  []pwError
}

type pwSuite struct {
	parent int
	title  string
	// The titles down to here, in the project that was asked for last.
	project, titles string
	joined          bool
}

type pwSpec struct {
	suite        int
	title, file  string
	line, column string
	tests        decode.Place
}

type pwError struct{ text, file string }

func (p *playwright) config() {
	for key := range p.w.Members() {
		if key == "rootDir" {
			p.root = p.w.Text()
		}
	}
}

func (p *playwright) suites(parent int) {
	for range p.w.Elements() {
		n := len(p.tree)
		p.tree = append(p.tree, pwSuite{parent: parent})
		for key := range p.w.Members() {
			switch key {
			case "title":
				p.tree[n].title = p.w.Text()
			case "suites":
				p.suites(n)
			case "specs":
				for range p.w.Elements() {
					p.spec(n)
				}
			}
		}
	}
}

func (p *playwright) spec(suite int) {
	s := pwSpec{suite: suite}
	found := false
	for key := range p.w.Members() {
		switch key {
		case "title":
			s.title = p.w.Text()
		case "file":
			s.file = p.w.Text()
		case "line":
			s.line = p.w.Raw()
		case "column":
			s.column = p.w.Raw()
		case "tests":
			s.tests, found = p.w.Here(), p.w.Kind() == '['
		}
	}
	if found {
		p.specs = append(p.specs, s)
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

func (p *playwright) tests(s *pwSpec) {
	p.w.Back(s.tests)
	for at := range p.w.Elements() {
		p.test(s, at)
	}
}

// pwTest is what the attempts of a test share.
type pwTest struct {
	*pwSpec
	scope, location, expected string
	tags                      []testengine.Tag
	run                       bool
}

func (p *playwright) test(s *pwSpec, at decode.Place) {
	t := pwTest{pwSpec: s}
	var results decode.Place
	named, annotated, waiting := false, false, false
	for key := range p.w.Members() {
		switch key {
		case "projectName":
			t.name(p, p.w.Text())
			named = true
		case "expectedStatus":
			t.expected = p.w.Text()
		case "annotations":
			t.tags, annotated = p.annotations(), true
		case "results":
			if named && annotated && t.expected != "" { // the order that Playwright writes
				p.attempts(&t)
			} else {
				results, waiting = p.w.Here(), true
			}
		}
	}
	if p.w.Err() != nil {
		return
	}
	if !named {
		t.name(p, "")
	}
	if waiting {
		if t.expected == "" {
			t.expected = "passed"
		}
		end := p.w.Here()
		p.w.Back(results)
		p.attempts(&t)
		p.w.Back(end)
	}
	if !t.run { // the run ended before it began
		e := p.builder.Begin(p.w.Remaining())
		e.Result = testengine.ResultSkipped
		p.finish(&t, e, at)
	}
}

// name settles what depends on the project.
func (t *pwTest) name(p *playwright, project string) {
	t.scope = p.scope(t.pwSpec, project)
	t.location = p.located(p.located(p.path(t.file), t.line), t.column)
}

func (p *playwright) attempts(t *pwTest) {
	for at := range p.w.Elements() {
		t.run = true
		p.attempt(t, at)
	}
}

// scope is what the collector sends: project, file, describe blocks and title,
// in one line that begins with a space for the root suite's empty name.
func (p *playwright) scope(s *pwSpec, project string) string {
	return p.w.Join(p.titles(s.suite, project), " ", s.title)
}

func (p *playwright) titles(n int, project string) string {
	if n < 0 {
		return " " + project
	}
	suite := &p.tree[n]
	if !suite.joined || suite.project != project {
		suite.titles = p.titles(suite.parent, project) + " " + suite.title
		suite.project, suite.joined = project, true
	}
	return suite.titles
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

func (p *playwright) attempt(t *pwTest, at decode.Place) {
	e, ok := p.begin(at)
	if !ok {
		return
	}
	status := ""
	for key := range p.w.Members() {
		switch key {
		case "status":
			status = p.w.Text()
		case "duration":
			p.duration(e, 1000)
		case "errors":
			for range p.w.Elements() {
				found := p.problem()
				if e.FailureReason == "" {
					e.FailureReason = assemble.Reason(found.text)
				}
				said, stack := splitStack(found.text)
				p.failures.Add(said, stack...)
			}
		}
	}
	p.judge(e, t.expected, status)
	p.finish(t, e, at)
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

func (p *playwright) finish(t *pwTest, e *testengine.Execution, at decode.Place) {
	e.Name, e.Scope, e.File = t.title, t.scope, p.path(t.file)
	e.Location = t.location
	for _, tag := range t.tags {
		p.builder.Tag(e, tag.Key, tag.Value)
	}
	p.close(e, at)
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
			for key := range p.w.Members() {
				if key == "file" {
					found.file = p.w.Text()
				}
			}
		}
	}
	if found.text == "" {
		found.text = stack
	}
	return found
}
