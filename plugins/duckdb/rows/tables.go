package rows

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// Suite is a row of table suites.
type Suite struct {
	Number        uint32
	Org           string
	Name          string
	DefaultBranch string
	FirstSeen     int64 // unix microseconds
	Mode          TagsMode
}

// TagsMode says where executions' tags of a suite lie.
type TagsMode uint8

// The modes, each a step further away from an explosion of tag sets.
const (
	TagsWhole   TagsMode = iota // tag_sets hold the upload's tags too
	TagsOwn                     // tag_sets hold executions' own tags only
	TagsSpilled                 // as TagsOwn; further sets lie in execution_tags
)

// Test is a row of table tests.
type Test struct {
	Number    uint32
	ID        uint64
	Suite     uint32
	Scope     string
	Name      string
	FirstSeen int64
	Place
}

// Place is where a test is and whose: the newest seen.
type Place struct {
	Location string
	File     string
	Owner    string
	Hash     uint64
}

// TagSet is a row of table tag_sets.
type TagSet struct {
	Number uint32
	Suite  uint32
	Hash   uint64
	Whole  bool
	Tags   []testengine.Tag // in order of key, each once
}

// Upload is a row of table uploads. A row that is in the table already
// (Stored) is an addition to it: its counts are added, its report replaces.
type Upload struct {
	Number   uint32
	Stored   bool
	Suite    uint32
	Position testengine.Position // Offset -1 without a log
	// Named is the place in the log after which executions are named for ever. It
	// is another than Position when blocks came through a topic of their own.
	Named testengine.Position
	Facts testengine.Upload
	Run   uint64
	Tags  []testengine.Tag
	// Counts are executions by result.
	Counts [5]uint32
	Report *testengine.UploadReport // nil until it came
}

// Failure is a row of table failures.
type Failure struct {
	Upload, Index, Suite, Test uint32
	Time                       int64
	Signature                  testengine.Signature
	Execution                  *testengine.Execution
}

// ExecutionTags is a row of table execution_tags.
type ExecutionTags struct {
	Upload, Index, Suite uint32
	Time                 int64
	Tags                 []testengine.Tag
}

// Run is a row of table run_events.
type Run struct {
	Suite uint32
	Run   uint64
	Event *testengine.Run
}

// Verdict is a row of table verdicts.
type Verdict struct {
	Number  uint64
	Suite   uint32
	TestID  uint64
	Verdict *testengine.Verdict
}
