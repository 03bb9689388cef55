package detect

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Block takes the executions of one block.
func (e *Engine) Block(b *testengine.Block) {
	if len(b.Executions) == 0 {
		return
	}
	u := b.Upload
	e.block = b
	e.suite = e.suiteOf(u.Org, u.Suite)
	e.run = e.runOf(e.suite, u)
	e.openPasses(e.suite, e.run.slot)
	e.variants.open(e.suite.settings, u)
	e.run.addVariant(e.variants.hash)
	e.host = hostOf(e.suite.settings, u.Tags)
	var decisive, failures uint32
	for i := range b.Executions {
		if i%warmed == 0 {
			e.warm(b.Executions[i:min(i+warmed, len(b.Executions))])
		}
		x := &b.Executions[i]
		e.run.counts[x.Result]++
		if x.SuiteError || !x.Result.Decisive() {
			continue
		}
		decisive++
		if x.Result == testengine.ResultPassed && x.FailureReason == "" {
			e.passed(e.keys[i%warmed], x.FileBits(), x)
			continue
		}
		if e.failed(i, x) {
			failures++
		}
	}
	e.run.dirty = true
	e.countHost(e.suite, e.host, decisive, failures)
}

// warmed is how many executions' entries are fetched at once: their waits for
// memory overlap then.
const warmed = 40

// warm works out the keys of the next executions and brings their entries near.
func (e *Engine) warm(list []testengine.Execution) {
	for i := range list {
		e.keys[i] = testengine.HashUint(e.variants.of(&list[i]), list[i].TestID)
	}
	e.state.Warm(e.keys[:len(list)])
}

// hostOf names where an upload or execution ran, 0 when nobody says.
func hostOf(settings *Settings, tags []testengine.Tag) uint32 {
	for _, name := range settings.HostTags {
		for i := range tags {
			if tags[i].Key == name && tags[i].Value != "" {
				return uint32(testengine.Hash(1, tags[i].Value)) | 1
			}
		}
	}
	return 0
}

// commitSHA is the commit of an upload as key of the code, "" when it names none
// or says that the tree had changes.
func commitSHA(u *testengine.Upload) string {
	if strings.HasSuffix(u.CommitSHA, "dirty") {
		return ""
	}
	return u.CommitSHA
}

// passed is the hot path: a test that passed and, nearly always, never failed.
func (e *Engine) passed(key uint64, file uint16, x *testengine.Execution) {
	packed, ok := e.state.Cell(key)
	if !ok {
		e.passedSlowly(key, x)
		return
	}
	c := unpackCell(packed)
	if file != c.file && file != 0 {
		if c.file != 0 && e.passedBefore(c.dense) {
			e.shareCell(key, c)
			e.passedSlowly(key, x)
			return
		}
		c.file = file
		e.state.SetCell(key, c.pack())
	}
	before := e.markPassed(c.dense)
	if !before && e.run.follows && c.passes < filter.MaxPasses {
		c.passes++
		e.state.SetCell(key, c.pack())
	}
}

// passedSlowly takes a pass of a test that is new, failed before, or shares its
// identity with another.
func (e *Engine) passedSlowly(key uint64, x *testengine.Execution) {
	value := e.state.Value(key)
	if len(value) > 0 && value[0] == kindShared {
		key = sharedKey(key, x.FileBits())
		if packed, ok := e.state.Cell(key); ok {
			e.markPassed(unpackCell(packed).dense)
			return
		}
		value = e.state.Value(key)
	}
	if len(value) == 0 {
		e.addCell(key, x)
		return
	}
	var rec record
	rec.read(value)
	if file := x.FileBits(); file != rec.file && file != 0 && !rec.shared {
		if rec.file != 0 && e.ranOnCommit(&rec) {
			e.shareRecord(key, &rec)
			e.passedSlowly(key, x)
			return
		}
		rec.file = file
		e.putRecord(key, &rec)
	}
	e.markPassed(rec.dense)
	e.passedAfterFailure(key, &rec)
}

func (e *Engine) addCell(key uint64, x *testengine.Execution) {
	e.suite.nextDense++
	e.suite.dirty = true
	c := cell{dense: e.suite.nextDense, file: x.FileBits()}
	if e.run.follows {
		c.passes = 1
	}
	e.state.SetCell(key, c.pack())
	e.markPassed(c.dense)
}
