package events

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// A Block reads the executions of a block. A field that is no fact of an upload
// or an execution is a tag: an execution's own, then what was annotated, then the
// upload's.
type Block struct {
	// Values are the values of the execution, by place; valid until the next one.
	Values []Value

	readers []reader
	block   *testengine.Block
}

type reader struct {
	upload    func(*testengine.Upload) Value
	execution func(*testengine.Execution) Value
	tag       string
}

// NewBlock reads those fields.
func NewBlock(fields *Fields) *Block {
	b := &Block{Values: make([]Value, len(fields.names))}
	for _, name := range fields.names {
		r := reader{upload: uploadFields[name], execution: executionFields[name]}
		if r.upload == nil && r.execution == nil {
			r.tag = name
		}
		b.readers = append(b.readers, r)
	}
	return b
}

// uploadFields and executionFields are the facts that are no tags.
var uploadFields = map[string]func(*testengine.Upload) Value{
	"org":               func(u *testengine.Upload) Value { return textual(u.Org) },
	"suite":             func(u *testengine.Upload) Value { return textual(u.Suite) },
	"run_key":           func(u *testengine.Upload) Value { return textual(u.RunKey) },
	"branch":            func(u *testengine.Upload) Value { return textual(u.Branch) },
	"commit_sha":        func(u *testengine.Upload) Value { return textual(u.CommitSHA) },
	"ci":                func(u *testengine.Upload) Value { return textual(u.CI) },
	"job_id":            func(u *testengine.Upload) Value { return textual(u.JobID) },
	"collector":         func(u *testengine.Upload) Value { return textual(u.Collector) },
	"collector_version": func(u *testengine.Upload) Value { return textual(u.CollectorVersion) },
	"test_runner":       func(u *testengine.Upload) Value { return textual(u.TestRunner) },
	"language_version":  func(u *testengine.Upload) Value { return textual(u.LanguageVersion) },
	"upload_id":         func(u *testengine.Upload) Value { return textual(u.ID) },
	"received_at":       func(u *testengine.Upload) Value { return Value{Kind: Number, Number: float64(u.ReceivedAt)} },
}

var executionFields = map[string]func(*testengine.Execution) Value{
	"test_id":        func(x *testengine.Execution) Value { return textual(testengine.FormatID(x.TestID)) },
	"scope":          func(x *testengine.Execution) Value { return textual(x.Scope) },
	"name":           func(x *testengine.Execution) Value { return textual(x.Name) },
	"location":       func(x *testengine.Execution) Value { return textual(x.Location) },
	"file_name":      func(x *testengine.Execution) Value { return textual(x.File) },
	"failure_reason": func(x *testengine.Execution) Value { return textual(x.FailureReason) },
	"result":         func(x *testengine.Execution) Value { return textual(x.Result.String()) },
	"passed":         func(x *testengine.Execution) Value { return truth(x.Result == testengine.ResultPassed) },
	"failed":         func(x *testengine.Execution) Value { return truth(x.Result == testengine.ResultFailed) },
	"skipped":        func(x *testengine.Execution) Value { return truth(x.Result == testengine.ResultSkipped) },
	"duration": func(x *testengine.Execution) Value {
		if !x.HasDuration {
			return Value{}
		}
		return Value{Kind: Number, Number: x.Duration}
	},
	"started_at": func(x *testengine.Execution) Value {
		if x.StartedAt == 0 {
			return Value{}
		}
		return Value{Kind: Number, Number: float64(x.StartedAt)}
	},
}

// Reset begins with a block: what its executions share is read once.
func (b *Block) Reset(block *testengine.Block) {
	b.block = block
	for i := range b.readers {
		if read := b.readers[i].upload; read != nil {
			b.Values[i] = read(block.Upload)
		}
	}
}

// Read reads an execution of the block and returns its time in unix
// milliseconds: when it started, by a real clock, or else the time of its record.
func (b *Block) Read(i int) (at int64) {
	x := &b.block.Executions[i]
	for place := range b.readers {
		r := &b.readers[place]
		switch {
		case r.upload != nil:
		case r.execution != nil:
			b.Values[place] = r.execution(x)
		default:
			b.Values[place] = textual(b.tag(i, r.tag))
		}
	}
	if x.StartedAt > 0 {
		return x.StartedAt
	}
	if at = b.block.Upload.Time; at == 0 {
		at = b.block.Upload.ReceivedAt
	}
	return at
}

func (b *Block) tag(i int, key string) string {
	if value, ok := b.block.Executions[i].Tag(key); ok {
		return value
	}
	if a := b.block.Annotations; a != nil {
		for _, tags := range [2][]testengine.Tag{a.Executions[i], a.Tags} {
			for n := range tags {
				if tags[n].Key == key {
					return tags[n].Value
				}
			}
		}
		if key == "owner" {
			return b.block.Owner(i)
		}
	}
	value, _ := b.block.Upload.Tag(key)
	return value
}
