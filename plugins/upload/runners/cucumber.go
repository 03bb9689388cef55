package runners

import (
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// Cucumber is the format of cucumber --format json, in all of its languages.
const Cucumber = "cucumber-json"

const notCucumber = "this is no array of features: cucumber --format json writes one"

// background is the type of an element whose steps belong to the next scenario.
const background = "background"

// nanoseconds in a second: what Cucumber counts in.
const nanoseconds = 1e9

// FeedCucumber reads a file into the builder, one execution a scenario. Texts
// alias it. The error is an *assemble.SyntaxError.
func FeedCucumber(builder *assemble.Builder, body []byte) error {
	r := newReader(builder, body)
	c := cucumberFile{
		reader:    &r,
		ofElement: decode.ObjectOf("name", "type", "line", "id", "steps", "before", "after"),
		ofResult:  decode.ObjectOf("status", "duration", "error_message"),
	}
	for n := range c.ofSteps {
		c.ofSteps[n] = decode.ObjectOf("result")
	}
	start, array := r.w.Here(), r.w.Kind() == '['
	for range r.w.Elements() {
		c.feature()
	}
	_, err := looked(r.w, start, array, notCucumber, 0)
	return err
}

// LookCucumber checks a file and counts its scenarios.
func LookCucumber(body []byte, maxDepth int) (scenarios int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, array := w.Here(), w.Kind() == '['
	for range w.Elements() {
		for range w.Each("elements") {
			scenarios += scenario(w)
		}
	}
	return looked(w, start, array, notCucumber, scenarios)
}

// scenario is 1, or 0 for the background of the next one.
func scenario(w *decode.Walker) int {
	count := 1
	for range w.Member("type") {
		if w.Text() == background {
			count = 0
		}
	}
	return count
}

// cucumberFile is a file that is being read.
type cucumberFile struct {
	*reader

	ofElement, ofResult *decode.Object
	// ofSteps are by their place: scenarios begin alike, and rows of an outline are alike.
	ofSteps [4]*decode.Object
}

// feature reads the scenarios of one feature. Where its own keys stand behind
// them, as some languages write it, they are passed over first.
func (c *cucumberFile) feature() {
	f := feature{cucumberFile: c, rows: map[uint64]string{}}
	var elements decode.Place
	for key := range f.w.Members() {
		switch key {
		case "name":
			f.name = f.w.Text()
		case "uri":
			f.file = strings.TrimPrefix(f.w.Text(), "file:")
		case "elements":
			if f.name != "" && f.file != "" {
				f.elements()
			} else {
				elements = f.w.Later(elements)
			}
		}
	}
	f.w.Reread(elements, f.elements)
}

func (f *feature) elements() {
	for at := range f.w.Elements() {
		f.element(at)
	}
}

// feature is what its scenarios share.
type feature struct {
	*cucumberFile

	name, file string
	// rows are the lines on which a name (its hash) was found first, and others those
	// behind: the rows of an outline are tests of their own, an attempt of the same
	// row is not.
	rows   map[uint64]string
	others map[uint64][]string
	// background is what came of the steps before the next scenario.
	background steps
}

// steps is what a row of steps and hooks came to.
type steps struct {
	worst    string
	reason   string
	text     string
	duration float64
	any      bool
}

// cucumberWords say what a scenario is whose worst step has that word.
var cucumberWords = map[string]testengine.Result{
	"passed": testengine.ResultPassed, "failed": testengine.ResultFailed, "ambiguous": testengine.ResultFailed,
	"skipped": testengine.ResultSkipped, "pending": testengine.ResultPending, "undefined": testengine.ResultPending,
	"unused": testengine.ResultSkipped,
}

// severity orders the words: the worst step is the scenario's.
func severity(word string) int {
	switch word {
	case "passed":
		return 1
	case "unused", "skipped":
		return 2
	case "pending", "undefined":
		return 3
	case "ambiguous":
		return 4
	case "failed":
		return 5
	}
	return 0
}

func (f *feature) element(at decode.Place) {
	e, ok := f.begin(at)
	if !ok {
		return
	}
	var kind, line, id string
	found := f.background
	for key := range f.w.Of(f.ofElement) {
		switch key {
		case "name":
			e.Name = f.w.Text()
		case "type":
			kind = f.w.Text()
		case "line":
			line = f.w.Raw()
		case "id":
			id = f.w.Text()
		case "steps", "before", "after":
			n := 0
			for range f.w.Elements() {
				f.step(&found, f.ofSteps[n%len(f.ofSteps)])
				n++
			}
		}
	}
	if kind == background {
		f.background = found
		f.builder.Withdraw()
		return
	}
	f.background = steps{}
	e.Scope, e.File, e.Location = f.name, f.file, f.located(f.file, line, "")
	e.Name = f.rowName(e.Name, line, id)
	f.result(e, cucumberWords, found.worst)
	e.FailureReason = found.reason
	if e.Result == testengine.ResultPassed {
		e.FailureReason = ""
	}
	f.failures.Add(found.text)
	e.Duration, e.HasDuration = found.duration/nanoseconds, found.any
	f.close(e, at)
}

// rowName tells the rows of an outline apart: they share a name, and would be
// one test that passes and fails. Ruby and Java number them in the id, for the
// others the order of their lines does.
func (f *feature) rowName(name, line, id string) string {
	if name == "" {
		return name
	}
	if strings.Count(id, ";") >= 3 {
		if row, err := strconv.Atoi(id[strings.LastIndexByte(id, ';')+1:]); err == nil && row >= 2 && row < 1<<20 {
			return name + " (example " + strconv.Itoa(row-1) + ")"
		}
	}
	key := testengine.Hash(0, name)
	first, found := f.rows[key]
	if !found {
		f.rows[key] = line
		return name
	}
	if first == line {
		return name
	}
	row := slices.Index(f.others[key], line)
	if row < 0 {
		row = len(f.others[key])
		if f.others == nil {
			f.others = make(map[uint64][]string)
		}
		f.others[key] = append(f.others[key], line)
	}
	return name + " (example " + strconv.Itoa(row+2) + ")"
}

func (f *feature) step(found *steps, ofStep *decode.Object) {
	at := f.w.Here()
	var status, text string
	for range f.w.Of(ofStep) {
		for key := range f.w.Of(f.ofResult) {
			switch key {
			case "status":
				status = strings.ToLower(f.w.Text())
			case "duration":
				if length, ok := f.w.Number(); ok && length >= 0 {
					found.duration += length
					found.any = true
				}
			case "error_message":
				text = assemble.WithoutColours(f.w.Text())
			}
		}
	}
	if status != found.worst && severity(status) > severity(found.worst) {
		found.worst = status
		found.reason = assemble.Reason(text)
		if found.reason == "" && status != "passed" {
			found.reason = status + ": " + f.sentence(at)
		}
		found.text = text
	}
}

// sentence is the step that stands at a place, as its author wrote it.
func (f *feature) sentence(step decode.Place) string {
	var name, keyword string
	f.w.Reread(step, func() {
		for key := range f.w.Members() {
			switch key {
			case "name":
				name = f.w.Text()
			case "keyword":
				keyword = f.w.Text()
			}
		}
	})
	return strings.TrimSpace(keyword + name)
}
