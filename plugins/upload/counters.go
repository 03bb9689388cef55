package upload

import (
	"errors"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// counters are incremented once for each record. An upload that comes in several
// is counted with its first one, its executions with theirs: so the counters and
// the reports say the same.
type counters struct {
	uploads    *service.MetricCounter
	executions *service.MetricCounter
	noResult   *service.MetricCounter
	suiteError *service.MetricCounter
	bytes      *service.MetricCounter
	problems   *service.MetricCounter
	words      *labels
}

func newCounters(metrics *service.Metrics) counters {
	return counters{
		uploads:    metrics.NewCounter("testengine_decode_uploads_total", "result"),
		executions: metrics.NewCounter("testengine_decode_executions_total", "result"),
		noResult:   metrics.NewCounter("testengine_decode_executions_without_result_total"),
		suiteError: metrics.NewCounter("testengine_decode_suite_errors_total"),
		bytes:      metrics.NewCounter("testengine_decode_bytes_total"),
		problems:   metrics.NewCounter("testengine_decode_problems_total", "field", "reason"),
		words:      &labels{known: map[[2]string]bool{}},
	}
}

func (c *counters) count(result assemble.Result) {
	report := result.Report
	if first(report.Chunk) {
		word := "decoded"
		if result.Refused {
			word = "refused"
		}
		c.uploads.Incr(1, word)
	}
	add := func(counter *service.MetricCounter, n int, labels ...string) {
		if n > 0 {
			counter.Incr(int64(n), labels...)
		}
	}
	add(c.executions, report.Accepted, "accepted")
	add(c.executions, report.Rejected, "rejected")
	add(c.noResult, report.WithoutResult)
	add(c.suiteError, report.SuiteErrors)
	if result.Refused {
		c.problems.Incr(1, "body", cause(result.Cause))
		return
	}
	for text, n := range report.ProblemCounts {
		field, reason, _ := strings.Cut(text, ": ")
		field, reason = c.words.bound(field, reason)
		c.problems.Incr(int64(n), field, reason)
	}
}

func (c *counters) duplicate(chunk *testengine.Chunk) {
	if first(chunk) {
		c.uploads.Incr(1, "duplicate")
	}
}

func first(chunk *testengine.Chunk) bool { return chunk == nil || chunk.Index == 0 }

// cause says in a fixed number of sentences why a body was refused: the errors
// themselves quote the body.
func cause(err error) string {
	var syntax *assemble.SyntaxError
	var packed *unpack.Error
	switch {
	case errors.As(err, &syntax):
		return "the " + syntax.Format + " is broken"
	case errors.As(err, &packed):
		return "the " + string(packed.Encoding) + " is broken"
	}
	for _, known := range []error{errEncoding, unpack.ErrTooLarge, formats.ErrContentType, formats.ErrFormat} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it could not be read"
}

// maxWords bounds the label values of problems. Fields and reasons are our own
// words, and far fewer.
const maxWords = 200

// labels remembers which pairs of words have become label values.
type labels struct {
	mu    sync.Mutex
	known map[[2]string]bool
}

func (l *labels) bound(field, reason string) (boundField, boundReason string) {
	pair := [2]string{field, reason}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[pair] {
		if len(l.known) >= maxWords {
			return "other", "other"
		}
		l.known[pair] = true
	}
	return field, reason
}
