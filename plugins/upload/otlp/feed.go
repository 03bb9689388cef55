package otlp

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// Attributes of spans and resources, the more particular name first.
var (
	caseName     = "test.case.name"
	nameKeys     = []string{"buildkite.test.name", caseName}
	scopeKeys    = []string{"buildkite.test.scope", "test.suite.name"}
	fileKeys     = []string{"code.file.path", "code.filepath"}
	lineKeys     = []string{"code.line.number", "code.lineno"}
	runKeys      = []string{"buildkite.run_key", "cicd.pipeline.run.id"}
	processKey   = "service.instance.id"
	execLocation = "buildkite.test.location"
	execExternal = "buildkite.test.execution.external_id"
	execStatus   = "test.case.result.status"
	refKeys      = []string{"vcs.ref.head.name", "vcs.repository.ref.name"}
	refType      = "vcs.ref.type"
	tagPrefix    = "buildkite.tag."
)

// envKeys say which attributes are which keys of run_env. A span's own come
// before its resource's.
var envKeys = []struct{ attribute, key string }{
	{"buildkite.run_url", "url"},
	{"cicd.pipeline.run.url.full", "url"},
	{"vcs.ref.head.revision", "commit_sha"},
	{"vcs.repository.ref.revision", "commit_sha"},
	{"buildkite.build_number", "number"},
	{"buildkite.job_id", "job_id"},
	{"buildkite.step_id", "step_id"},
	{"buildkite.message", "message"},
	{"buildkite.collector.name", "collector"},
	{"buildkite.collector.version", "version"},
	{"buildkite.location_prefix", "location_prefix"},
	{"buildkite.test.framework.name", "test_runner"},
	{"buildkite.test.framework.version", "test_framework_version"},
	{"process.runtime.version", "language_version"},
}

// tagKeys are attributes of a resource that are tags of the upload.
var tagKeys = []struct{ attribute, key string }{
	{"cicd.worker.id", "ci.worker.id"},
	{"host.arch", "host.arch"},
	{"host.type", "host.type"},
	{"os.type", "host.os"},
	{"cloud.provider", "cloud.provider"},
	{"cloud.region", "cloud.region"},
	{"telemetry.sdk.language", "language.name"},
}

// Decode makes blocks of a request; runKey is that of the header, "" when there
// was none. Texts alias the body. A body that cannot be read gives a result
// without blocks, and the report says why.
func Decode(facts assemble.Facts, encoding Encoding, body []byte, runKey string, limits assemble.Limits) assemble.Result {
	r, err := parse(encoding, body, limits.MaxDepth)
	if err != nil {
		return assemble.New(facts, Format, limits).Refuse(err, "")
	}
	f := feeder{request: r, facts: facts, limits: limits, header: runKey, groups: map[group]*assemble.Builder{}}
	return f.feed()
}

// group is what makes an upload: spans of one process that name one run.
type group struct {
	resource int32
	runKey   string
}

type feeder struct {
	*request
	facts  assemble.Facts
	limits assemble.Limits
	header string

	groups   map[group]*assemble.Builder
	order    []*assemble.Builder
	failures assemble.Failures
	texts    assemble.Texts
}

func (f *feeder) feed() assemble.Result {
	f.judge()
	index := 0
	var rejects []int // places of spans, with their indices in turn
	for i := range f.spans {
		switch f.spans[i].verdict {
		case execution:
			f.execution(i, index)
		case nameless, stranger, foreign:
			rejects = append(rejects, i, index)
		case open, child, frame, lone:
			continue
		}
		index++
	}
	for i := 0; i < len(rejects); i += 2 {
		f.reject(rejects[i], rejects[i+1])
	}
	for i := range f.spans {
		if f.spans[i].verdict == lone {
			f.account(&f.spans[i]).Remark(-1, "history", lone.why(), f.spans[i].name)
		}
	}
	if len(f.order) == 0 {
		f.builder(group{runKey: f.header}, nil)
	}
	results := make([]assemble.Result, len(f.order))
	for i, builder := range f.order {
		results[i] = builder.Finish()
	}
	return assemble.Merge(results)
}

// reject counts a span that is no execution.
func (f *feeder) reject(i, index int) {
	s := &f.spans[i]
	field := "span"
	if s.verdict == nameless {
		field = "name"
	}
	builder := f.account(s)
	builder.At(index)
	builder.Begin(0)
	builder.Reject(field, s.verdict.why(), s.name)
}

// account is where spans without an upload are told of: the first upload.
func (f *feeder) account(s *span) *assemble.Builder {
	if len(f.order) == 0 {
		return f.builder(group{resource: s.resource, runKey: f.runKey(s, f.header)}, s)
	}
	return f.order[0]
}

// runKey is the span's own, the header's, or that of the pipeline's run. Without
// any, the requests of a process are a run: its exporter sends many.
func (r *request) runKey(s *span, header string) string {
	if own := r.value(s.attributes, runKeys[0]); own != "" {
		return own
	}
	if header != "" {
		return header
	}
	if own := r.value(s.attributes, runKeys[1]); own != "" {
		return own
	}
	shared := r.resources[s.resource].attributes
	if own := r.first(shared, runKeys...); own != "" {
		return own
	}
	return r.value(shared, processKey)
}

// builder is that of the group; a new one learns the facts of its first span.
func (f *feeder) builder(g group, s *span) *assemble.Builder {
	b := f.groups[g]
	if b != nil {
		return b
	}
	b = assemble.New(f.facts, Format, f.limits)
	f.groups[g] = b
	f.order = append(f.order, b)
	b.Env("key", g.runKey)
	if s != nil {
		shared := f.resources[s.resource].attributes
		for _, from := range []piece{s.attributes, shared} {
			for _, env := range envKeys {
				b.Env(env.key, f.value(from, env.attribute))
			}
			if ref := f.first(from, refKeys...); ref != "" {
				b.Env(refKey(f.value(from, refType)), ref)
			}
		}
		for _, tag := range tagKeys {
			if value := f.value(shared, tag.attribute); value != "" {
				b.UploadTag(tag.key, value)
			}
		}
		f.eachTag(shared, b.UploadTag)
	}
	b.EnvKnown()
	return b
}

// eachTag hands on the attributes that are tags.
func (r *request) eachTag(at piece, take func(key, value string)) {
	for i := at.from; i < at.to; i++ {
		a := &r.attributes[i]
		if key, found := strings.CutPrefix(a.key, tagPrefix); found && a.value != "" {
			take(key, a.value)
		}
	}
}

// refKey is the key of run_env for a reference: a tag is no branch.
func refKey(kind string) string {
	if kind == "tag" {
		return "tag"
	}
	return "branch"
}

var statuses = map[string]testengine.Result{
	"pass": testengine.ResultPassed, "fail": testengine.ResultFailed, "skipped": testengine.ResultSkipped,
	"passed": testengine.ResultPassed, "failed": testengine.ResultFailed, "skip": testengine.ResultSkipped,
	"unset": testengine.ResultUnknown,
}

const (
	perMilli  = 1e6
	perSecond = 1e9
)

func (f *feeder) execution(i, index int) {
	s := &f.spans[i]
	b := f.builder(group{s.resource, f.runKey(s, f.header)}, s)
	b.At(index)
	e := b.Begin((len(f.spans) - i) * usualSpan)
	e.Name, e.Scope = f.first(s.attributes, nameKeys...), f.scope(s)
	e.File, e.Location = f.first(s.attributes, fileKeys...), f.value(s.attributes, execLocation)
	if line := f.first(s.attributes, lineKeys...); e.Location == "" && e.File != "" && line != "" {
		e.Location = f.texts.Join(e.File, ":", line)
	}
	e.Detail().ExternalID = f.value(s.attributes, execExternal)
	f.result(b, e, s)
	f.ownTimes(b, e, s)
	f.eachTag(s.attributes, func(key, value string) { b.Tag(e, key, value) })
	if f.limits.KeepDetails == assemble.KeepAll || f.limits.KeepDetails == assemble.KeepFailed && e.Result == testengine.ResultFailed {
		e.Detail().History = f.history(s)
	}
	b.Accept()
}

// farAhead is how many milliseconds after its arrival a span cannot have begun.
const farAhead = 24 * 60 * 60 * 1000

// ownTimes are those of the span. An exporter that lacks one of them writes 0.
// What begins far ahead of its arrival has a wrong clock: it has no start.
func (f *feeder) ownTimes(b *assemble.Builder, e *testengine.Execution, s *span) {
	if s.start <= math.MaxInt64 {
		e.StartedAt = int64(s.start) / perMilli
	}
	if f.facts.ReceivedAt > 0 && e.StartedAt > f.facts.ReceivedAt+farAhead {
		e.StartedAt = 0
		b.Remark(b.Index(), "start", "more than a day ahead of its arrival: it was dropped, check the machine's clock", strconv.FormatUint(s.start, 10))
	}
	reason := "the span ends before it begins: it was dropped"
	switch {
	case s.start == 0 || s.end == 0:
		return
	case max(s.start, s.end) > math.MaxInt64:
		reason = "out of range: it was dropped"
	case s.start <= s.end:
		e.Duration, e.HasDuration = float64(s.end-s.start)/perSecond, true
		return
	}
	b.Remark(b.Index(), "duration", reason, fmt.Sprintf("from %d to %d", s.start, s.end))
}

// scope is the span's own or its resource's, never that of a span above it: that
// may come in another request, and the test would be two.
func (f *feeder) scope(s *span) string {
	if own := f.first(s.attributes, scopeKeys...); own != "" {
		return own
	}
	return f.first(f.resources[s.resource].attributes, scopeKeys...)
}

// result reads the status of the case, or that of the span where there is none.
func (f *feeder) result(b *assemble.Builder, e *testengine.Execution, s *span) {
	word := f.value(s.attributes, execStatus)
	result, known := statuses[word]
	switch {
	case known:
		e.Result = result
	case word != "":
		b.Remark(b.Index(), execStatus, "unknown word: kept as unknown", word)
	case s.failed:
		e.Result = testengine.ResultFailed
	}
	if e.Result != testengine.ResultPassed {
		e.FailureReason = assemble.WithoutColours(s.message)
	}
	for at := s.events.from; at < s.events.to; at++ {
		if f.events[at].name != "exception" {
			continue
		}
		message := assemble.WithoutColours(f.value(f.events[at].attributes, "exception.message"))
		if e.FailureReason == "" && e.Result == testengine.ResultFailed {
			e.FailureReason = assemble.Reason(message)
		}
		stack := f.value(f.events[at].attributes, "exception.stacktrace")
		if stack = strings.TrimRight(assemble.WithoutColours(stack), "\n"); stack != "" {
			f.failures.Add(message, strings.Split(stack, "\n")...)
		} else {
			f.failures.Add(message)
		}
	}
	e.Detail().FailureExpanded = f.failures.Take()
}
