package avro

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The library is the reference: it reads what we write as the schema says, and
// we read what it writes. The values it is compared with are made here, field
// by field, from the Go values.

func TestTheLibraryReadsWhatWeWrite(t *testing.T) {
	for n := range 500 {
		r := newRandom(uint64(n)).record(n)
		record, _ := RecordOf(r.Kind)
		data, err := appendValue(nil, r)
		require.NoError(t, err)
		var read any
		rest, err := schemaOf(record).Decode(data, &read)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, generic(r), read, "seed %d", n)
	}
}

func TestWeReadWhatTheLibraryWrites(t *testing.T) {
	for n := range 500 {
		r := newRandom(uint64(n)).record(n)
		record, _ := RecordOf(r.Kind)
		data, err := schemaOf(record).Encode(generic(r))
		require.NoError(t, err)
		var read testengine.Record
		require.NoError(t, readValue(record, data, &read))
		require.Equal(t, *r, read, "seed %d", n)
	}
}

var parsed [recordCount]*avro.Schema

func schemaOf(record Record) *avro.Schema {
	if parsed[record] == nil {
		parsed[record] = avro.MustParse(record.Current().Text)
	}
	return parsed[record]
}

type object = map[string]any

func generic(r *testengine.Record) any {
	switch v := r.Value.(type) {
	case *testengine.Block:
		return genericBlock(v)
	case *testengine.Verdict:
		return genericVerdict(v)
	case *testengine.Run:
		return object{
			"id": v.ID, "run_id": v.RunID, "event": string(v.Event), "org": v.Org, "suite": v.Suite, "run_key": v.RunKey, "branch": v.Branch,
			"commit_sha": v.CommitSHA, "url": v.URL, "number": v.Number, "generation": int64(v.Generation), "time": moment(v.Time),
			"first_upload_at": moment(v.FirstUploadAt), "last_upload_at": moment(v.LastUploadAt), "uploads": int64(v.Uploads),
			"executions": int64(v.Executions), "passed": int64(v.Passed), "failed": int64(v.Failed), "skipped": int64(v.Skipped),
			"unknown": int64(v.Unknown), "storm": v.Storm,
		}
	case *testengine.UploadReport:
		return genericReport(v)
	}
	u := object{
		"kind": string(r.Kind), "org": r.Org, "suite": r.Suite, "default_branch": r.DefaultBranch, "upload_id": r.UploadID,
		"content_type": r.ContentType, "content_encoding": r.ContentEncoding, "received_at": moment(r.ReceivedAt),
		"origin": nil, "chunk": genericChunk(r.Chunk), "meta": genericTags(r.Meta), "body": r.Body,
	}
	if r.Origin != nil {
		u["origin"] = object{"log_id": r.Origin.LogID, "partition": int64(r.Origin.Partition), "offset": r.Origin.Offset}
	}
	return u
}

func genericBlock(b *testengine.Block) any {
	u := b.Upload
	var texts sharedTexts
	texts.collect(b.Executions)
	executions := list(b.Executions, func(e testengine.Execution) any {
		return object{
			"index": int64(e.Index), "test_id": identity(e.TestID), "name": e.Name,
			"location": e.Location, "result": e.Result.String(), "duration": e.Duration,
			"has_duration": e.HasDuration, "started_at": moment(e.StartedAt), "failure_reason": e.FailureReason,
			"failure_expanded": string(e.FailureExpanded()), "history": string(e.History()), "external_id": e.ExternalID(),
			"tags": genericTags(e.Tags), "suite_error": e.SuiteError, "extra": string(e.Extra()),
		}
	})
	for i, place := range texts.places {
		executions[i].(object)["scope"], executions[i].(object)["file"] = int64(place.scope), int64(place.file)
	}
	return object{
		"log_id": b.LogID, "partition": int64(b.Partition), "offset": b.Offset, "first": int64(b.First),
		"upload": object{
			"id": u.ID, "org": u.Org, "suite": u.Suite, "default_branch": u.DefaultBranch, "format": u.Format,
			"received_at": moment(u.ReceivedAt), "time": moment(u.Time), "run_key": u.RunKey, "run_key_missing": u.RunKeyMissing,
			"run_id": u.RunID, "branch": u.Branch, "commit_sha": u.CommitSHA, "ci": u.CI, "url": u.URL, "number": u.Number,
			"job_id": u.JobID, "message": u.Message, "collector": u.Collector, "collector_version": u.CollectorVersion,
			"test_runner": u.TestRunner, "language_version": u.LanguageVersion, "location_prefix": u.LocationPrefix,
			"execution_name_prefix": u.NamePrefix, "execution_name_suffix": u.NameSuffix, "env": genericTags(u.Env),
			"tags": genericTags(u.Tags), "extra": string(u.Extra), "part": int64(u.Part),
		},
		"scopes": genericTexts(texts.scopes.texts), "files": genericTexts(texts.files.texts), "executions": executions,
		"annotations": genericAnnotations(b.Annotations),
	}
}

func genericAnnotations(a *testengine.Annotations) any {
	if a == nil {
		return nil
	}
	return object{
		"tags": genericTags(a.Tags), "owner_names": genericTexts(a.OwnerNames),
		"owners": list(a.Owners, func(owner int32) any { return owner }),
		"signatures": list(sortedKeys(a.Signatures), func(i int) any {
			return object{"execution": int64(i), "message": identity(a.Signatures[i].Message), "full": identity(a.Signatures[i].Full)}
		}),
		"executions": list(sortedKeys(a.Executions), func(i int) any {
			return object{"execution": int64(i), "tags": genericTags(a.Executions[i])}
		}),
	}
}

func genericVerdict(v *testengine.Verdict) any {
	e := v.Evidence
	numbers := object{}
	for key, number := range e.Numbers {
		numbers[key] = number
	}
	return object{
		"id": v.ID, "time": moment(int64(v.Time)), "type": string(v.Type), "org": v.Org, "suite": v.Suite, "test_id": v.TestID,
		"scope": v.Scope, "name": v.Name, "location": v.Location, "file_name": v.File, "variant": v.Variant, "owner": v.Owner,
		"rule": object{"id": v.Rule.ID, "version": int64(v.Rule.Version)}, "probability": v.Probability,
		"signatures": genericTexts(v.Signatures), "first_failure": moment(int64(v.FirstFailure)),
		"last_failure": moment(int64(v.LastFailure)), "episode": int64(v.Episode),
		"evidence": object{
			"failure_reasons": genericTexts(e.FailureReasons), "commits": genericTexts(e.Commits), "executions": genericTexts(e.Executions),
			"runs": genericTexts(e.Runs), "branches": genericTexts(e.Branches), "numbers": numbers, "note": e.Note,
		},
	}
}

func genericChunk(c *testengine.Chunk) any {
	if c == nil {
		return nil
	}
	return object{"index": int64(c.Index), "count": int64(c.Count), "first_index": int64(c.FirstIndex)}
}

func genericReport(r *testengine.UploadReport) any {
	counts := object{}
	for key, count := range r.ProblemCounts {
		counts[key] = int64(count)
	}
	return object{
		"chunk":  genericChunk(r.Chunk),
		"log_id": r.LogID, "partition": int64(r.Partition), "offset": r.Offset, "upload_id": r.UploadID, "org": r.Org, "suite": r.Suite,
		"run_id": r.RunID, "run_key": r.RunKey, "format": r.Format, "collector": r.Collector, "branch": r.Branch, "commit_sha": r.CommitSHA,
		"received_at": moment(r.ReceivedAt), "time": moment(r.Time), "bytes": int64(r.Bytes), "received": int64(r.Received),
		"accepted": int64(r.Accepted), "rejected": int64(r.Rejected), "duplicate": r.Duplicate, "without_result": int64(r.WithoutResult),
		"suite_errors": int64(r.SuiteErrors), "problem_counts": counts,
		"problems": list(r.Problems, func(p testengine.Problem) any {
			return object{"index": int64(p.Index), "field": p.Field, "reason": p.Reason, "snippet": p.Snippet}
		}),
	}
}

func genericTags(tags []testengine.Tag) []any {
	return list(tags, func(tag testengine.Tag) any { return object{"key": tag.Key, "value": tag.Value} })
}

func genericTexts(texts []string) []any { return list(texts, func(text string) any { return text }) }

func list[T any](values []T, item func(T) any) []any {
	all := make([]any, 0, len(values))
	for _, value := range values {
		all = append(all, item(value))
	}
	return all
}

func moment(milli int64) time.Time { return time.UnixMilli(milli).UTC() }

func identity(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
