// Package testengine holds the words that all capabilities share: uploads,
// blocks of executions, runs, verdicts, and how they are named.
//
// The ladder, one word a step: an execution has a result; the executions of a
// test on one commit have an outcome (passed, failed, mixed); what is concluded
// about a test over its window is a verdict; a verdict begins with an alarm and
// ends with a recovery.
package testengine

import (
	"strconv"
	"strings"
)

// BlockSize is the greatest number of executions in a block.
const BlockSize = 2000

// Tag is one key:value pair of an upload or an execution.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Position names a record of a log. Offsets of a partition only grow; they may
// have gaps.
type Position struct {
	LogID     string `json:"log_id"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

// String writes the position as log/partition/offset.
func (p Position) String() string {
	return p.LogID + "/" + strconv.Itoa(p.Partition) + "/" + strconv.FormatInt(p.Offset, 10)
}

// Upload holds the facts that all executions of one delivery share. It is
// immutable once emitted and shared by its blocks. Its strings are copies, so
// that whoever keeps one does not keep the body.
type Upload struct {
	ID string `json:"id"`
	// Part counts the uploads of one delivery from 0: a request of OTLP may carry
	// several runs. All but the first have an id of their own.
	Part          int    `json:"part,omitempty"`
	Org           string `json:"org"`
	Suite         string `json:"suite"`
	DefaultBranch string `json:"default_branch"`
	Format        string `json:"format"`
	// ReceivedAt is the door's clock, Time the log's (T); both unix milliseconds.
	ReceivedAt int64 `json:"received_at"`
	Time       int64 `json:"time"`

	// RunKey groups uploads into a run. Decoding invents one from the upload's
	// id when the collector sent none; RunKeyMissing then says so.
	RunKey        string `json:"run_key"`
	RunKeyMissing bool   `json:"run_key_missing,omitempty"`
	// RunID is the run's name in answers, links and stores (RunID function).
	RunID string `json:"run_id"`
	// Branch is normalised (NormalBranch).
	Branch           string `json:"branch,omitempty"`
	CommitSHA        string `json:"commit_sha,omitempty"`
	CI               string `json:"ci,omitempty"`
	URL              string `json:"url,omitempty"`
	Number           string `json:"number,omitempty"`
	JobID            string `json:"job_id,omitempty"`
	Message          string `json:"message,omitempty"`
	Collector        string `json:"collector,omitempty"`
	CollectorVersion string `json:"collector_version,omitempty"`
	TestRunner       string `json:"test_runner,omitempty"`
	LanguageVersion  string `json:"language_version,omitempty"`
	LocationPrefix   string `json:"location_prefix,omitempty"`
	NamePrefix       string `json:"execution_name_prefix,omitempty"`
	NameSuffix       string `json:"execution_name_suffix,omitempty"`
	// Env holds the run_env keys that have no field above, in order of key.
	Env []Tag `json:"env,omitempty"`
	// Tags are the upload's own tags, in the order sent. An execution's win.
	Tags []Tag `json:"tags,omitempty"`
	// Extra is the raw JSON object of unknown top-level keys, or empty.
	Extra RawJSON `json:"extra,omitempty"`
}

// SuiteSeed is the seed of this upload's suite.
func (u *Upload) SuiteSeed() uint64 { return SuiteSeed(u.Org, u.Suite) }

// Tag returns the upload's tag of that key.
func (u *Upload) Tag(key string) (string, bool) { return findTag(u.Tags, key) }

// Execution is one test run once. Strings may alias the body they were decoded
// from.
type Execution struct {
	// Index is the place in the record's data, rejected executions included.
	Index  int    `json:"index"`
	TestID uint64 `json:"test_id,string"`
	Scope  string `json:"scope"`
	// Name carries execution_name_prefix and execution_name_suffix already.
	Name     string `json:"name"`
	Location string `json:"location,omitempty"`
	// File is the file name without leading "./".
	File   string `json:"file_name,omitempty"`
	Result Result `json:"result"`
	// HasDuration is false when none was sent.
	HasDuration bool `json:"has_duration"`
	// SuiteError marks what is no test: an import error, a build failure. It is
	// stored and shown, and is no evidence about a test.
	SuiteError bool `json:"suite_error,omitempty"`
	// fileBits is what Mark worked out, 0 before.
	fileBits uint16
	// Duration is in seconds, never NaN or infinite.
	Duration float64 `json:"duration"`
	// StartedAt is a real clock in unix milliseconds, 0 when the format has none (JSON, JUnit).
	StartedAt     int64  `json:"started_at,omitempty"`
	FailureReason string `json:"failure_reason,omitempty"`
	// Details is nil when there are none. Their methods read them either way.
	*Details
	Tags []Tag `json:"tags,omitempty"`
	// placeHash is a mark as fileBits is.
	placeHash uint64
}

// Details are what few executions have; apart, they make the many smaller.
type Details struct {
	// FailureExpanded is the raw JSON array as sent; kept as keep_details says.
	FailureExpanded RawJSON `json:"failure_expanded,omitempty"`
	// History is the raw JSON object of spans; kept as keep_details says.
	History    RawJSON `json:"history,omitempty"`
	ExternalID string  `json:"external_id,omitempty"`
	// Extra is the raw JSON object of unknown keys, or empty.
	Extra RawJSON `json:"extra,omitempty"`
}

// Tag returns the execution's own tag of that key.
func (e *Execution) Tag(key string) (string, bool) { return findTag(e.Tags, key) }

// FailureExpanded is that of the details, or empty.
func (e *Execution) FailureExpanded() RawJSON { return e.details().FailureExpanded }

// History is that of the details, or empty.
func (e *Execution) History() RawJSON { return e.details().History }

// ExternalID is that of the details, or empty.
func (e *Execution) ExternalID() string { return e.details().ExternalID }

// Extra is that of the details, or empty.
func (e *Execution) Extra() RawJSON { return e.details().Extra }

func (e *Execution) details() *Details {
	if e.Details == nil {
		return &noDetails
	}
	return e.Details
}

var noDetails Details

// Detail is for those who make an execution: its details to be written.
func (e *Execution) Detail() *Details {
	if e.Details == nil {
		e.Details = new(Details)
	}
	return e.Details
}

// RetriedInside reports whether the runner retried before it reported: Vitest
// sends a test that passed at the second attempt as passed with the first
// attempt's failure reason. That is a pass and a failure on one commit.
func (e *Execution) RetriedInside() bool {
	return e.Result == ResultPassed && strings.TrimSpace(e.FailureReason) != ""
}

// Touch reads a byte at both ends of the executions' files, so that the waits for
// memory overlap: after decoding, other work has put the texts out of the caches.
// Whoever is about to read them all touches some tens ahead. The sum means nothing;
// inlined, the reading would be left out with it.
//
//go:noinline
func Touch(list []Execution) (sum byte) {
	for i := range list {
		if file := list[i].File; file != "" {
			sum += file[0] + file[len(file)-1]
		}
	}
	return sum
}

// Block is up to BlockSize executions of one upload, decoded. A block is
// immutable once emitted; whoever annotates it makes a copy that shares
// Executions.
type Block struct {
	Position
	// First is the index, within its record's executions that were accepted, of Executions[0].
	First      int         `json:"first"`
	Upload     *Upload     `json:"upload"`
	Executions []Execution `json:"executions"`
	// Annotations are what lookups and users' mappings added, nil before. Detection cannot see them.
	Annotations *Annotations `json:"annotations,omitempty"`
}

// Annotations is what execution_enrich adds to a block.
type Annotations struct {
	// Tags hold for every execution: core tags of run_env, pipeline and customer metadata.
	Tags []Tag `json:"tags,omitempty"`
	// Owners[i] is the place of Executions[i]'s owner in OwnerNames, -1 for nobody.
	OwnerNames []string `json:"owner_names,omitempty"`
	Owners     []int32  `json:"owners,omitempty"`
	// Signatures are those of failed executions, by place in Executions.
	Signatures map[int]Signature `json:"signatures,omitempty"`
	// Executions are annotations of single executions, by place in Executions (for_each_execution).
	Executions map[int][]Tag `json:"executions,omitempty"`
}

// Signature groups failures of one cause. Message is for use across tests (the
// storm guard), Full for one test (quarantine).
type Signature struct {
	Message uint64 `json:"message,string"`
	Full    uint64 `json:"full,string"`
}

// ExecutionName is an execution's name for ever: log id, partition, offset and
// index in the record. A replay into another log keeps it.
func (b *Block) ExecutionName(i int) string {
	return b.String() + "/" + strconv.Itoa(b.Executions[i].Index)
}

// Owner returns the owner annotated for Executions[i], or "".
func (b *Block) Owner(i int) string {
	if b.Annotations == nil || i >= len(b.Annotations.Owners) || b.Annotations.Owners[i] < 0 {
		return ""
	}
	return b.Annotations.OwnerNames[b.Annotations.Owners[i]]
}

// HasFailures reports whether an execution of the block failed.
func (b *Block) HasFailures() bool {
	for i := range b.Executions {
		if b.Executions[i].Result == ResultFailed {
			return true
		}
	}
	return false
}

func findTag(tags []Tag, key string) (string, bool) {
	for i := range tags {
		if tags[i].Key == key {
			return tags[i].Value, true
		}
	}
	return "", false
}

// NormalBranch strips refs/heads/, which some collectors send on GitHub
// Actions and others do not, so that a branch does not split in two.
func NormalBranch(branch string) string { return strings.TrimPrefix(branch, "refs/heads/") }

// RunID names a run: its suite and its key.
func RunID(suiteSeed uint64, runKey string) string {
	return "run_" + FormatID(Hash(suiteSeed, RunKey(runKey)))
}

// maxRunKey is what OpenTelemetry's header may hold. It is no field: door and
// decoding must name a run alike.
const maxRunKey = 255

// RunKey is the key under which a run is kept: of a longer one the beginning, and
// a hash for the rest.
func RunKey(key string) string {
	if len(key) <= maxRunKey {
		return key
	}
	rest := "-" + FormatID(Hash(0, key))
	return strings.ToValidUTF8(key[:maxRunKey-len(rest)], "") + rest
}
