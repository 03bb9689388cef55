package otlp

// executionSpan is the name that Buildkite's collectors give the span of a test.
const executionSpan = "test.execution"

// verdict says what becomes of a span.
type verdict uint8

const (
	// open is a span whose own attributes do not say it.
	open verdict = iota
	// execution is a test that has ended.
	execution
	// nameless is an execution without a name.
	nameless
	// child is below an execution: it belongs to its history.
	child
	// frame is a suite, a session, or whatever else stands above tests.
	frame
	// lone belongs to a test, or to a suite, but to no test of this request.
	lone
	// stranger is none of these, and neither is its root.
	stranger
	// foreign is a test in the words of pytest-opentelemetry.
	foreign
)

func (v verdict) why() string {
	switch v {
	case nameless:
		return "missing: neither buildkite.test.name nor test.case.name is set"
	case lone:
		return "a span of no test in this request: it is not kept, tests count by themselves"
	case foreign:
		return "no test.execution: pytest.nodeid is not read, name the span test.execution and set test.case.name and test.case.result.status"
	case stranger:
		return "no test.execution: neither is the span one, nor is the span above it, nor does it have test.case.name and test.case.result.status"
	case open, execution, child, frame:
	}
	return ""
}

// own is what a span's attributes say. A test is what Buildkite's collectors name
// so, and what OpenTelemetry's conventions call a case with a result.
func (r *request) own(s *span) verdict {
	switch {
	case s.name == executionSpan && r.first(s.attributes, nameKeys...) == "":
		return nameless
	case s.name == executionSpan:
		return execution
	case r.value(s.attributes, execStatus) != "" && r.value(s.attributes, caseName) != "":
		return execution
	case r.value(s.attributes, "test.suite.name") != "" || r.value(s.attributes, "test.suite.run.status") != "":
		return frame
	case r.value(s.attributes, "pytest.nodeid") != "":
		return foreign
	}
	return open
}

// judge says what becomes of each span. What is an execution is decided by the
// span alone; what stands around it is looked for in this request.
func (r *request) judge() {
	alone := true
	for i := range r.spans {
		s := &r.spans[i]
		s.verdict = r.own(s)
		alone = alone && s.verdict == execution
	}
	if alone {
		return
	}
	f := family{request: r, places: make(map[string]int32, len(r.spans)), tests: make(map[string]int32)}
	f.learn()
	for i := range r.spans {
		if v := r.spans[i].verdict; v != open && v != foreign {
			f.raise(&r.spans[i])
		}
	}
	for i := range r.spans {
		if v := r.spans[i].verdict; v == open || v == foreign || v == frame {
			f.settle(int32(i))
		}
	}
}

// family knows who stands above whom.
type family struct {
	*request
	// places of spans by their id, as place + 1, and the only test of each trace;
	// -1 where there are several.
	places, tests map[string]int32
}

func (f *family) learn() {
	for i := range f.spans {
		s := &f.spans[i]
		if s.id != "" {
			f.places[s.id] = int32(i + 1)
		}
		if s.trace == "" || s.verdict != execution && s.verdict != nameless {
			continue
		}
		if f.tests[s.trace] == 0 {
			f.tests[s.trace] = int32(i + 1)
		} else {
			f.tests[s.trace] = -1
		}
	}
}

// above is the span above, nil when it is not in this request.
func (f *family) above(s *span) *span {
	if at := f.places[s.parent]; at > 0 && s.parent != "" && f.spans[at-1].trace == s.trace {
		return &f.spans[at-1]
	}
	return nil
}

// highest is how many spans are climbed at most: ids of strangers may go round in a circle.
const highest = 128

// raise makes frames of what stands above an execution or a suite.
func (f *family) raise(s *span) {
	for range highest {
		if s = f.above(s); s == nil || s.verdict == execution {
			return
		}
		if s.verdict == open {
			s.verdict = frame
		}
	}
}

// settle finds the execution that a span is below of.
func (f *family) settle(i int32) {
	s := &f.spans[i]
	top := s
	for range highest {
		next := f.above(top)
		if next == nil {
			break
		}
		if top = next; top.verdict == execution || top.verdict == nameless {
			f.adopt(top, i)
			return
		}
	}
	if s.verdict != open {
		return
	}
	if at := f.tests[s.trace]; at > 0 && s.trace != "" {
		f.adopt(&f.spans[at-1], i)
		return
	}
	s.verdict = stranger
	if top.verdict == frame || top.parent != "" && f.above(top) == nil {
		s.verdict = lone
	}
}

// adopt makes a span a child of the test, the last one first.
func (f *family) adopt(test *span, i int32) {
	s := &f.spans[i]
	s.verdict, s.next = child, test.next
	test.next = i + 1
}
