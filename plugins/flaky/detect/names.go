package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	keptEvidence   = 5
	keptSignatures = 8
	keptText       = 300
)

// names is what a verdict tells about a test beyond numbers: read and written
// only when it fails or something is said about it.
type names struct {
	suite        uint64
	test         uint64
	scope        string
	name         string
	location     string
	file         string
	variant      string
	firstFailure int64
	reasons      []string
	commits      []string
	executions   []string
	runs         []string
	branches     []string
	// failing are the signatures of the newest failures, proven those seen with
	// a pass on the same commit.
	failing []string
	proven  []string
}

func namesKey(record uint64) uint64 { return keyOf(record, kindNames, 0) }

func (n *names) lists() []*[]string {
	return []*[]string{&n.reasons, &n.commits, &n.executions, &n.runs, &n.branches, &n.failing, &n.proven}
}

func (e *Engine) namesOf(record uint64) *names {
	n := &names{}
	value := e.state.Value(namesKey(record))
	if len(value) == 0 {
		return n
	}
	b := wire.Reader{Bytes: value}
	b.Byte()
	n.suite, n.test = b.U64(), b.U64()
	n.scope, n.name, n.location, n.file, n.variant = b.Text(), b.Text(), b.Text(), b.Text(), b.Text()
	n.firstFailure = b.Int()
	for _, list := range n.lists() {
		*list = b.Texts()
	}
	return n
}

func (e *Engine) putNames(record uint64, n *names) {
	if n.suite == 0 && e.suite != nil {
		n.suite = e.suite.seed
	}
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindNames)
	w.U64(n.suite)
	w.U64(n.test)
	for _, text := range []string{n.scope, n.name, n.location, n.file, n.variant} {
		w.Text(text)
	}
	w.Int(n.firstFailure)
	for _, list := range n.lists() {
		w.Texts(*list)
	}
	e.state.SetValue(namesKey(record), w.Bytes)
}

func (n *names) introduce(x *testengine.Execution, variant string) {
	n.test, n.scope, n.name, n.variant = x.TestID, testengine.CutText(x.Scope, 4096), testengine.CutText(x.Name, 4096), testengine.CutText(variant, 1024)
	n.location, n.file = testengine.CutText(x.Location, 1024), testengine.CutText(x.File, 1024)
}

func (n *names) failure(b *testengine.Block, at int, r *run, signature uint64) {
	x := &b.Executions[at]
	if reason := testengine.CutText(x.FailureReason, keptText); reason != "" {
		n.reasons = keepNewest(n.reasons, reason)
	}
	if r.commit != "" {
		n.commits = keepNewest(n.commits, testengine.CutText(r.commit, keptText))
	}
	n.executions = keepNewest(n.executions, b.ExecutionName(at))
	n.runs = keepNewest(n.runs, r.id)
	if r.branch != "" {
		n.branches = keepNewest(n.branches, testengine.CutText(r.branch, keptText))
	}
	n.failing = keepNewest(n.failing, testengine.FormatID(signature))
}

// keepNewest adds a text at the end of a bounded list in which each stands once.
func keepNewest(list []string, text string) []string {
	if at := slices.Index(list, text); at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	list = append(list, text)
	if len(list) > keptEvidence {
		list = slices.Delete(list, 0, len(list)-keptEvidence)
	}
	return list
}

// prove notes that failures of this signature passed on the same commit. It
// says whether that is news.
func (n *names) prove(signature uint64) bool {
	text := testengine.FormatID(signature)
	if slices.Contains(n.proven, text) {
		return false
	}
	if len(n.proven) >= keptSignatures {
		n.proven = slices.Delete(n.proven, 0, 1)
	}
	n.proven = append(n.proven, text)
	return true
}
