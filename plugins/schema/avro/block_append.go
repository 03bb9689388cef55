package avro

import (
	"encoding/binary"
	"math"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func appendBlock(to []byte, b *testengine.Block) []byte {
	to = appendPosition(to, b.Position)
	to = appendInt(to, b.First)
	to = appendFacts(to, b.Upload)
	to = appendExecutions(to, b.Executions)
	to = appendChoice(to, b.Annotations != nil)
	if b.Annotations != nil {
		to = appendAnnotations(to, b.Annotations)
	}
	return to
}

func appendFacts(to []byte, u *testengine.Upload) []byte {
	to = appendText(to, u.ID)
	to = appendText(to, u.Org)
	to = appendText(to, u.Suite)
	to = appendText(to, u.DefaultBranch)
	to = appendText(to, u.Format)
	to = appendLong(to, u.ReceivedAt)
	to = appendLong(to, u.Time)
	to = appendText(to, u.RunKey)
	to = appendBool(to, u.RunKeyMissing)
	for _, text := range [...]string{
		u.RunID, u.Branch, u.CommitSHA, u.CI, u.URL, u.Number, u.JobID, u.Message, u.Collector, u.CollectorVersion,
		u.TestRunner, u.LanguageVersion, u.LocationPrefix, u.NamePrefix, u.NameSuffix,
	} {
		to = appendText(to, text)
	}
	to = appendTags(to, u.Env)
	to = appendTags(to, u.Tags)
	to = appendText(to, string(u.Extra))
	return appendInt(to, u.Part)
}

// appendExecutions writes the lists of scopes and files, then the executions.
// Neighbours mostly share both, so these texts are found by place.
func appendExecutions(to []byte, executions []testengine.Execution) []byte {
	shared := sharedPool.Get().(*sharedTexts)
	defer shared.release()
	shared.collect(executions)
	to = appendTexts(to, shared.scopes.texts)
	to = appendTexts(to, shared.files.texts)
	to = appendCount(to, len(executions))
	for i := range executions {
		place := shared.places[i]
		to = appendExecution(to, &executions[i], place)
	}
	return appendEnd(to, len(executions))
}

// rareFields is how many fields close an execution that most have not got.
// Each is one byte 0 then, so that all of them are one word of zeros.
const rareFields = 8

func appendExecution(to []byte, e *testengine.Execution, place places) []byte {
	to = appendInt(to, e.Index)
	to = binary.BigEndian.AppendUint64(to, e.TestID)
	to = appendLong(to, int64(place.scope))
	to = appendText(to, e.Name)
	to = appendText(to, e.Location)
	to = appendLong(to, int64(place.file))
	to = append(to, resultByte(e.Result))
	to = binary.LittleEndian.AppendUint64(to, math.Float64bits(e.Duration))
	to = appendBool(to, e.HasDuration)
	if e.StartedAt == 0 && e.FailureReason == "" && e.FailureExpanded() == "" && e.History() == "" &&
		e.ExternalID() == "" && len(e.Tags) == 0 && !e.SuiteError && e.Extra() == "" {
		return append(to, make([]byte, rareFields)...)
	}
	to = appendLong(to, e.StartedAt)
	to = appendText(to, e.FailureReason)
	to = appendText(to, string(e.FailureExpanded()))
	to = appendText(to, string(e.History()))
	to = appendText(to, e.ExternalID())
	to = appendTags(to, e.Tags)
	to = appendBool(to, e.SuiteError)
	return appendText(to, string(e.Extra()))
}

// resultByte is the place of the result among the enum's symbols, as a long.
func resultByte(r testengine.Result) byte {
	if r > testengine.ResultPending {
		r = testengine.ResultUnknown
	}
	return byte(r) << 1
}

func appendAnnotations(to []byte, a *testengine.Annotations) []byte {
	to = appendTags(to, a.Tags)
	to = appendTexts(to, a.OwnerNames)
	to = appendCount(to, len(a.Owners))
	for _, owner := range a.Owners {
		to = appendLong(to, int64(owner))
	}
	to = appendEnd(to, len(a.Owners))
	to = appendCount(to, len(a.Signatures))
	for _, i := range sortedKeys(a.Signatures) {
		signature := a.Signatures[i]
		to = appendInt(to, i)
		to = appendIdentity(to, signature.Message)
		to = appendIdentity(to, signature.Full)
	}
	to = appendEnd(to, len(a.Signatures))
	to = appendCount(to, len(a.Executions))
	for _, i := range sortedKeys(a.Executions) {
		to = appendInt(to, i)
		to = appendTags(to, a.Executions[i])
	}
	return appendEnd(to, len(a.Executions))
}
