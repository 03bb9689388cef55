package rows

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Builder collects the rows of one transaction. Begin it, add messages in the
// order they came, take the rows; after the commit, Commit it. Without Commit
// nothing of it remains but names, which are pending.
type Builder struct {
	names *Names
	marks Marks // committed
	moved Marks // with this transaction

	Facts         Facts
	Uploads       []*Upload
	Failures      []Failure
	ExecutionTags []ExecutionTags
	Runs          []Run
	Verdicts      []Verdict
	// Dropped counts messages that were stored before.
	Dropped int

	open  map[int]*Upload    // by partition: the record being read
	loose map[string]*Upload // by id: uploads without a log
}

// Origin is where in a log a message comes from; the zero Origin is a stream without log.
type Origin struct {
	testengine.Position
	Logged bool
	// Time is the record's log time in unix milliseconds.
	Time int64
}

// NewBuilder makes a builder that goes on behind the marks.
func NewBuilder(names *Names, marks Marks) *Builder {
	if marks.Of == nil {
		marks.Of = map[int]Mark{}
	}
	return &Builder{names: names, marks: marks, open: map[int]*Upload{}, loose: map[string]*Upload{}}
}

// Begin drops what was collected and begins a transaction.
func (b *Builder) Begin() {
	b.Facts.reset()
	clear(b.Failures)
	b.Uploads, b.Failures, b.ExecutionTags = b.Uploads[:0:0], b.Failures[:0], nil
	b.Runs, b.Verdicts, b.Dropped = nil, nil, 0
	clear(b.open)
	clear(b.loose)
	b.moved = b.marks.Clone()
}

// Commit says that the transaction's rows and marks are stored.
func (b *Builder) Commit() { b.marks = b.moved }

// Marks are the watermarks as they stand with this transaction.
func (b *Builder) Marks() Marks { return b.moved }

// Committed are the watermarks of the database.
func (b *Builder) Committed() Marks { return b.marks }

// Check refuses a message of another log.
func (b *Builder) Check(o Origin) error {
	if !o.Logged {
		return nil
	}
	return b.moved.Check(o.LogID)
}

// Block adds a block's executions.
func (b *Builder) Block(o Origin, block *testengine.Block) {
	up, ok := b.blockUpload(o, block)
	if !ok {
		b.Dropped++
		return
	}
	time := block.Upload.Time * microsPerMilli
	suite := b.names.suite(block.Upload.Org, block.Upload.Suite, block.Upload.DefaultBranch, time)
	tags := b.names.blockTags(suite, up.Tags)
	place := b.Facts.grow(len(block.Executions), time, suite.number, up.Number)
	for i := range block.Executions {
		e := &block.Executions[i]
		test := b.names.test(e, block.Owner(i), suite.number, time)
		result := e.Result
		if int(result) >= len(up.Counts) {
			result = testengine.ResultUnknown
		}
		up.Counts[result]++
		b.Facts.Test[place] = test
		b.Facts.Index[place] = uint32(e.Index)
		b.Facts.Result[place] = uint8(result)
		b.Facts.Duration[place] = micros(e)
		b.Facts.TagSet[place] = b.tagSet(&tags, block, i, up.Number, time)
		if e.StartedAt != 0 {
			b.Facts.startAt(place, e.StartedAt)
		}
		if hasDetails(e) {
			b.Failures = append(b.Failures, Failure{
				Upload: up.Number, Index: uint32(e.Index), Suite: suite.number, Test: test, Time: time,
				Signature: signature(block, i), Execution: e,
			})
		}
		place++
	}
}

// Report ends an upload's record.
func (b *Builder) Report(o Origin, report *testengine.UploadReport) {
	if o.Logged {
		mark, ok := b.moved.reach(o.Position)
		if !ok {
			b.Dropped++
			return
		}
		b.reportUpload(o, mark, report)
	} else {
		b.looseReport(o, report)
	}
	b.End(o)
}

// End moves the watermark behind a record whose last message was seen: a tick, a
// change, or applied, which stands for a record of which nothing else is left.
func (b *Builder) End(o Origin) {
	if !o.Logged {
		return
	}
	mark, ok := b.moved.reach(o.Position)
	if !ok {
		return
	}
	delete(b.open, o.Partition)
	b.setMark(o, Mark{Next: mark.Next + 1, Time: o.Time * microsPerMilli})
}

// Run adds a run's event. What is stored already is dropped by its id.
func (b *Builder) Run(o Origin, run *testengine.Run) {
	if b.stored(o) {
		return
	}
	suite := b.names.suite(run.Org, run.Suite, "", run.Time*microsPerMilli)
	b.Runs = append(b.Runs, Run{Suite: suite.number, Run: runNumber(run.RunID), Event: run})
}

// Verdict adds an event. What is stored already is dropped by its id.
func (b *Builder) Verdict(o Origin, verdict *testengine.Verdict) {
	if b.stored(o) {
		return
	}
	suite := b.names.suite(verdict.Org, verdict.Suite, "", int64(verdict.Time)*microsPerMilli)
	id, _ := testengine.ParseID(verdict.TestID) // empty for events of a run
	b.Verdicts = append(b.Verdicts, Verdict{Number: b.names.nextVerdict, Suite: suite.number, TestID: id, Verdict: verdict})
	b.names.nextVerdict++
}

// stored reports whether the record was stored whole, and otherwise moves the mark to it.
func (b *Builder) stored(o Origin) bool {
	if !o.Logged {
		return false
	}
	mark, ok := b.moved.reach(o.Position)
	if !ok {
		b.Dropped++
		return true
	}
	b.setMark(o, mark)
	return false
}

func (b *Builder) setMark(o Origin, mark Mark) {
	b.moved.LogID = o.LogID
	if mark.Time == 0 || o.Time*microsPerMilli > mark.Time {
		mark.Time = o.Time * microsPerMilli
	}
	b.moved.Of[o.Partition] = mark
}

func (b *Builder) tagSet(tags *blockTags, block *testengine.Block, i int, upload uint32, time int64) uint32 {
	e := &block.Executions[i]
	var annotated []testengine.Tag
	if block.Annotations != nil && block.Annotations.Executions != nil {
		annotated = block.Annotations.Executions[i]
	}
	set := tags.set(e.Tags, annotated)
	if set != spilled {
		return set
	}
	b.ExecutionTags = append(b.ExecutionTags, ExecutionTags{
		Upload: upload, Index: uint32(e.Index), Suite: tags.suite.number, Time: time, Tags: mergeTags(e.Tags, annotated),
	})
	return 0
}

func signature(block *testengine.Block, i int) testengine.Signature {
	if block.Annotations == nil {
		return testengine.Signature{}
	}
	return block.Annotations.Signatures[i]
}

func hasDetails(e *testengine.Execution) bool {
	return e.Result == testengine.ResultFailed || e.SuiteError || e.FailureExpanded() != "" || e.History() != "" ||
		(e.FailureReason != "" && e.RetriedInside())
}

// runNumber reads the number that RunID printed, 0 for none.
func runNumber(runID string) uint64 {
	if runID == "" {
		return 0
	}
	number, err := testengine.ParseID(strings.TrimPrefix(runID, "run_"))
	if err != nil {
		return testengine.Hash(0, runID)
	}
	return number
}
