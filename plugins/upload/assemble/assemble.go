// Package assemble makes blocks out of the records that a format's decoder
// reads. All formats share it: the facts of the upload, the sealing of an
// execution (its final name, its identity), the limits of tags, the cutting
// into blocks and the account of what was wrong.
package assemble

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Facts is what the door and the log know about a delivery.
type Facts struct {
	testengine.Position
	UploadID      string
	Org           string
	Suite         string
	DefaultBranch string
	ReceivedAt    int64
	Time          int64
	// Bytes is the size of the body as sent.
	Bytes int
	// Continues says that this is a later chunk of an upload, with the same envelope as the first.
	Continues bool
}

// Result is a decoded upload: its blocks in input order, and the account of it.
type Result struct {
	Blocks []*testengine.Block
	Report *testengine.UploadReport
	// Refused says that the body could not be read at all.
	Refused bool
	// Cause is the error of a refused body.
	Cause error
	limit int // of problems in the report
}

// Builder takes the records of one upload, one after another. It is used by one
// goroutine and for one upload.
type Builder struct {
	limits Limits
	facts  Facts
	upload *testengine.Upload
	seed   uint64

	full    [][]testengine.Execution
	current []testengine.Execution
	kept    int // bytes of text in current
	usual   int // executions of the last block that was cut by bytes, or 0
	first   int // remaining body when the first record began

	// ready says that everything sealing needs is known, so that executions are
	// sealed while they are warm; otherwise Finish seals them.
	ready    bool
	index    int
	paths    *paths // nil before the first is sealed
	last     shared // of the execution that was sealed before
	received int
	accepted int
	rejected int
	missing  int
	errors   int
	tagArena []testengine.Tag
	// details are those of the record that is being read; what is kept of them moves to the arena.
	details     testengine.Details
	detailArena []testengine.Details
	account
}

// New returns a builder for one upload of that format.
func New(facts Facts, format string, limits Limits) *Builder {
	return &Builder{
		limits: limits,
		facts:  facts,
		seed:   testengine.SuiteSeed(facts.Org, facts.Suite),
		upload: &testengine.Upload{
			ID: facts.UploadID, Org: facts.Org, Suite: facts.Suite, DefaultBranch: facts.DefaultBranch,
			Format: format, ReceivedAt: facts.ReceivedAt, Time: facts.Time,
		},
		account: account{limit: limits.MaxProblems},
	}
}

// Limits are the limits the builder was made with.
func (b *Builder) Limits() Limits { return b.limits }

// Index is the place of the record that is being read.
func (b *Builder) Index() int { return b.index }

// At says that the next record has that place, where the records of a delivery
// belong to several uploads.
func (b *Builder) At(index int) { b.index = index }

// EnvKnown says that all of run_env has been read: executions that follow can be
// sealed at once. Those before it are sealed by Finish.
func (b *Builder) EnvKnown() {
	if b.received == 0 {
		b.ready = true
	}
}

// SetExtra keeps the raw JSON object of unknown keys of the upload.
func (b *Builder) SetExtra(raw string) {
	if len(raw) > b.limits.DetailBytes {
		b.Envelope("upload", tooLarge, raw)
		return
	}
	b.upload.Extra = testengine.RawJSON(strings.Clone(raw))
}

// Begin opens the next record. The execution is empty and valid until Accept or
// Reject; remaining is how much of the body is still to be read.
func (b *Builder) Begin(remaining int) *testengine.Execution {
	if len(b.current) == cap(b.current) {
		b.grow(remaining)
	}
	n := len(b.current)
	b.current = b.current[:n+1]
	e := &b.current[n]
	e.Index, e.Details = b.index, &b.details
	return e
}

// Accept closes the record: the execution is part of the upload.
func (b *Builder) Accept() {
	e := &b.current[len(b.current)-1]
	if e.Details != &b.details { // The format has made the execution elsewhere.
		if e.Details != nil {
			b.details = *e.Details
		}
		e.Details = &b.details
	}
	if !b.limits.keeps(e) {
		b.details.FailureExpanded, b.details.History = "", ""
	}
	if empty(&b.details) {
		e.Details = nil
	}
	if e.Result == testengine.ResultUnknown {
		b.missing++
	}
	if b.ready {
		b.seal(e)
	}
	if e.Details != nil {
		e.Details = b.keepDetails()
	}
	b.received++
	b.index++
	b.accepted++
	b.keep(e)
}

// keep adds the execution to the block, or begins another one with it.
func (b *Builder) keep(e *testengine.Execution) {
	n := size(e)
	if b.kept+n > blockBytes && len(b.current) > 1 {
		last := *e
		b.usual = len(b.current) - 1
		b.current = b.current[:b.usual]
		b.cut()
		b.current = append(make([]testengine.Execution, 0, min(b.usual+b.usual/8+1, b.limits.BlockSize)), last)
	}
	b.kept += n
	if len(b.current) >= b.limits.BlockSize {
		b.cut()
	}
}

// Reject closes the record: it is counted and named, and nothing of it is kept.
func (b *Builder) Reject(field, reason, value string) {
	b.Withdraw()
	b.Remark(b.index, field, reason, value)
	b.received++
	b.index++
	b.rejected++
}

// Withdraw takes the record back that Begin has opened: it was none.
func (b *Builder) Withdraw() {
	n := len(b.current) - 1
	b.current[n], b.details = testengine.Execution{}, testengine.Details{}
	b.current = b.current[:n]
}

// blockBytes is how much text a block holds at most, whatever its number of
// executions: one record of a topic must hold it.
const blockBytes = 900_000

// size is the text an execution keeps.
func size(e *testengine.Execution) int {
	n := len(e.Scope) + len(e.Name) + len(e.Location) + len(e.File) + len(e.FailureReason)
	if d := e.Details; d != nil {
		n += len(d.FailureExpanded) + len(d.History) + len(d.Extra) + len(d.ExternalID)
	}
	return n
}

// arenaDetails is how many details are allocated at once.
const arenaDetails = 16

// keepDetails is where the details of the record that was read stay, nil when none are left.
func (b *Builder) keepDetails() *testengine.Details {
	if empty(&b.details) {
		return nil
	}
	n := len(b.detailArena)
	if n == cap(b.detailArena) {
		b.detailArena, n = make([]testengine.Details, 0, arenaDetails), 0
	}
	b.detailArena = append(b.detailArena, b.details)
	b.details = testengine.Details{}
	return &b.detailArena[n]
}

// empty reports whether there are no details.
func empty(d *testengine.Details) bool {
	return len(d.FailureExpanded)+len(d.History)+len(d.ExternalID)+len(d.Extra) == 0
}

func (b *Builder) cut() {
	n := len(b.current)
	b.full = append(b.full, b.current[:n:n])
	b.current, b.kept = nil, 0
}

// sample is how many executions are read before it is said how long one is.
const sample = 64

// grow makes room for the executions that the rest of the body may hold, first
// for a few: what one of them takes tells how many there will be, and only a few
// have moved by then.
func (b *Builder) grow(remaining int) {
	if b.first == 0 {
		b.first = remaining + 1
	}
	want := min(sample, remaining/512+1)
	if b.received > 0 {
		average := (b.first-remaining)/b.received + 1
		want = remaining/average + 2
		want += want / 16 // The next ones may be shorter.
	}
	if b.usual > 0 {
		want = min(want, b.usual+b.usual/8)
	}
	room := min(max(len(b.current)+want, len(b.current)+len(b.current)/2+1), b.limits.BlockSize)
	if len(b.current) == 0 {
		b.current = make([]testengine.Execution, 0, room)
		return
	}
	grown := make([]testengine.Execution, len(b.current), room)
	copy(grown, b.current)
	b.current = grown
}

// Finish closes the upload and returns what became of it.
func (b *Builder) Finish() Result {
	if len(b.current) > 0 {
		b.cut()
	}
	b.finishUpload()
	blocks := make([]*testengine.Block, len(b.full))
	first := 0
	for i, executions := range b.full {
		if !b.ready {
			for j := range executions {
				b.seal(&executions[j])
			}
		}
		blocks[i] = &testengine.Block{Position: b.facts.Position, First: first, Upload: b.upload, Executions: executions}
		first += len(executions)
	}
	return Result{Blocks: blocks, Report: b.report(), limit: b.limits.MaxProblems}
}

// Refuse is Finish for a body that cannot be read: nothing of it is kept, and
// the report says why.
func (b *Builder) Refuse(err error, snippet string) Result {
	b.full, b.current = nil, nil
	b.received, b.accepted, b.rejected, b.missing, b.errors = 0, 0, 0, 0, 0
	b.finishUpload()
	b.account = account{limit: max(1, b.limits.MaxProblems)}
	b.Remark(-1, "body", err.Error(), snippet)
	return Result{Report: b.report(), Refused: true, Cause: err}
}

const (
	runKeyField  = "run_env.key"
	runKeyReason = "missing: the upload became a run of its own"
)

// NothingToTell reports whether all records were accepted as they are. That an
// upload has no run is no news for executions that come one by one.
func (r *Result) NothingToTell() bool {
	if r.Refused || r.Report.Accepted == 0 || r.Report.Rejected > 0 {
		return false
	}
	counts := r.Report.ProblemCounts
	return len(counts) == 0 || len(counts) == 1 && counts[runKeyField+": "+runKeyReason] == 1
}

func (b *Builder) finishUpload() {
	u := b.upload
	u.Branch = testengine.NormalBranch(u.Branch)
	if strings.TrimSpace(u.RunKey) == "" {
		u.RunKey, u.RunKeyMissing = u.ID, true
		b.Envelope(runKeyField, runKeyReason, "")
	}
	if kept := testengine.RunKey(u.RunKey); kept != u.RunKey {
		b.Envelope(runKeyField, "too long: a hash stands for its end", u.RunKey)
		u.RunKey = kept
	}
	u.RunID = testengine.RunID(b.seed, u.RunKey)
	sortEnv(u.Env)
}

func (b *Builder) report() *testengine.UploadReport {
	u := b.upload
	return &testengine.UploadReport{
		Position: b.facts.Position, UploadID: u.ID, Org: u.Org, Suite: u.Suite,
		RunID: u.RunID, RunKey: u.RunKey, Format: u.Format, Collector: u.Collector,
		Branch: u.Branch, CommitSHA: u.CommitSHA, ReceivedAt: u.ReceivedAt, Time: u.Time,
		Bytes: b.facts.Bytes, Received: b.received, Accepted: b.accepted, Rejected: b.rejected,
		WithoutResult: b.missing, SuiteErrors: b.errors,
		Problems: b.problems, ProblemCounts: b.counts,
	}
}
