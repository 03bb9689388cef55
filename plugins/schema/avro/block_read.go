package avro

import (
	"encoding/binary"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// executionSize is the least number of bytes of an execution.
const executionSize = 6 + 8 + 8 + 1 + rareFields

// readBlock reads the facts as copies; strings of executions are pieces of data.
func readBlock(data []byte) (*testengine.Block, error) {
	skim := aliasing(data)
	skim.blockHead(&testengine.Block{Upload: new(testengine.Upload)})
	b := &testengine.Block{Upload: new(testengine.Upload)}
	facts := copying(data[:skim.at])
	facts.blockHead(b)
	if facts.bad {
		return nil, errDamaged
	}
	skim.executions(b)
	if skim.choice() {
		b.Annotations = skim.annotations()
	}
	if err := skim.end(); err != nil {
		return nil, err
	}
	return b, nil
}

func (r *reader) blockHead(b *testengine.Block) {
	b.Position = r.position()
	b.First = r.int()
	u := b.Upload
	u.ID = r.str()
	u.Org = r.str()
	u.Suite = r.str()
	u.DefaultBranch = r.str()
	u.Format = r.str()
	u.ReceivedAt = r.long()
	u.Time = r.long()
	u.RunKey = r.str()
	u.RunKeyMissing = r.bool()
	for _, text := range [...]*string{
		&u.RunID, &u.Branch, &u.CommitSHA, &u.CI, &u.URL, &u.Number, &u.JobID, &u.Message, &u.Collector, &u.CollectorVersion,
		&u.TestRunner, &u.LanguageVersion, &u.LocationPrefix, &u.NamePrefix, &u.NameSuffix,
	} {
		*text = r.str()
	}
	u.Env = r.tags()
	u.Tags = r.tags()
	u.Extra = testengine.RawJSON(r.str())
	u.Part = r.int()
}

func (r *reader) executions(b *testengine.Block) {
	scopes, files := r.texts(nil), r.texts(nil)
	for n := r.items(executionSize); n > 0; n = r.items(executionSize) {
		from := len(b.Executions)
		b.Executions = slices.Grow(b.Executions, n)[:from+n]
		for i := range b.Executions[from:] {
			r.execution(&b.Executions[from+i], scopes, files)
		}
	}
}

func (r *reader) execution(e *testengine.Execution, scopes, files []string) {
	e.Index = r.int()
	e.TestID = r.identity()
	e.Scope = r.shared(scopes)
	e.Name = r.str()
	e.Location = r.str()
	e.File = r.shared(files)
	e.Result = r.result()
	e.Duration = r.double()
	e.HasDuration = r.bool()
	e.Mark()
	if len(r.data)-r.at >= rareFields && binary.LittleEndian.Uint64(r.data[r.at:]) == 0 {
		r.at += rareFields
		return
	}
	e.StartedAt = r.long()
	e.FailureReason = r.str()
	details := testengine.Details{FailureExpanded: testengine.RawJSON(r.str()), History: testengine.RawJSON(r.str()), ExternalID: r.str()}
	e.Tags = r.tags()
	e.SuiteError = r.bool()
	details.Extra = testengine.RawJSON(r.str())
	if details != (testengine.Details{}) {
		*e.Detail() = details
	}
}

// shared reads the place of a text in one of the block's lists.
func (r *reader) shared(texts []string) string {
	place := r.long()
	if uint64(place) >= uint64(len(texts)) {
		r.fail()
		return ""
	}
	return texts[place]
}

func (r *reader) result() testengine.Result {
	symbol := r.long()
	if uint64(symbol) > uint64(testengine.ResultPending) {
		r.fail()
		return testengine.ResultUnknown
	}
	return testengine.Result(symbol)
}

func (r *reader) annotations() *testengine.Annotations {
	a := &testengine.Annotations{Tags: r.tags(), OwnerNames: r.texts(nil)}
	for n := r.items(1); n > 0; n = r.items(1) {
		a.Owners = slices.Grow(a.Owners, n)
		for range n {
			owner := r.long()
			if owner < -1 || owner >= int64(len(a.OwnerNames)) {
				r.fail()
			}
			a.Owners = append(a.Owners, int32(owner))
		}
	}
	for n := r.items(17); n > 0; n = r.items(17) {
		if a.Signatures == nil {
			a.Signatures = make(map[int]testengine.Signature, n)
		}
		for range n {
			i := r.int()
			a.Signatures[i] = testengine.Signature{Message: r.identity(), Full: r.identity()}
		}
	}
	for n := r.items(2); n > 0; n = r.items(2) {
		if a.Executions == nil {
			a.Executions = make(map[int][]testengine.Tag, n)
		}
		for range n {
			i := r.int()
			a.Executions[i] = r.tags()
		}
	}
	return a
}
