package assemble

import (
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// KeepDetails says of which executions failure_expanded and history are kept.
type KeepDetails string

// The choices.
const (
	KeepFailed KeepDetails = "failed"
	KeepAll    KeepDetails = "all"
	KeepNone   KeepDetails = "none"
)

// ParseKeepDetails reads the word of the configuration.
func ParseKeepDetails(word string) (KeepDetails, error) {
	switch keep := KeepDetails(word); keep {
	case KeepFailed, KeepAll, KeepNone:
		return keep, nil
	}
	return "", fmt.Errorf("reading keep_details: %q is none of failed, all, none", word)
}

// Limits bound what an upload may hold.
type Limits struct {
	// BlockSize is the greatest number of executions in a block.
	BlockSize int
	// MaxProblems is how many problems a report lists; all are counted.
	MaxProblems int
	// MaxDepth is how deep JSON values and XML elements may nest.
	MaxDepth int
	// UploadTags and ExecutionTags are how many tags each may carry.
	UploadTags    int
	ExecutionTags int
	// TagKeyBytes and TagValueBytes are the greatest lengths that are still kept.
	TagKeyBytes   int
	TagValueBytes int
	// EnvKeys is how many keys of run_env are kept beside the known ones, and
	// EnvBytes how long a value may be: longer ones are cut.
	EnvKeys  int
	EnvBytes int
	// TextBytes is how long a text of an execution is kept (scope, name, location,
	// file, failure reason), DetailBytes how large a raw value of it may be (details
	// of a failure, history, unknown keys).
	TextBytes   int
	DetailBytes int
	KeepDetails KeepDetails
	// FactsOnly lets a decoder pass over what detection does not read: durations and
	// histories, external ids, unknown keys.
	FactsOnly bool
}

// MaxEnvBytes bounds EnvBytes: state keeps several of an upload's facts in one value,
// and one that it cannot keep would hold up its lane.
const MaxEnvBytes = 8192

// DefaultLimits are those of Buildkite, where it has them.
func DefaultLimits() Limits {
	return Limits{
		BlockSize: testengine.BlockSize, MaxProblems: 100, MaxDepth: 128,
		UploadTags: 10, ExecutionTags: 10, TagKeyBytes: 63, TagValueBytes: 127,
		EnvKeys: 100, EnvBytes: 4096, TextBytes: 8192, DetailBytes: 128 << 10, KeepDetails: KeepFailed,
	}
}

func (l *Limits) keeps(e *testengine.Execution) bool {
	switch l.KeepDetails {
	case KeepAll:
		return true
	case KeepNone:
		return false
	default:
		return e.Result == testengine.ResultFailed || e.RetriedInside()
	}
}
