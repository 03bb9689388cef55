package upload

import (
	"encoding/json"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// uploadObject is what all executions of a block share, as processors see it.
// It is made once for a block and must not be changed.
func uploadObject(u *testengine.Upload) map[string]any {
	return map[string]any{
		"id": u.ID, "org": u.Org, "suite": u.Suite, "default_branch": u.DefaultBranch, "format": u.Format,
		"run_key": u.RunKey, "run_id": u.RunID, "branch": u.Branch, "commit_sha": u.CommitSHA, "ci": u.CI,
		"url": u.URL, "number": u.Number, "job_id": u.JobID, "message": u.Message, "collector": u.Collector,
		"collector_version": u.CollectorVersion, "test_runner": u.TestRunner, "language_version": u.LanguageVersion,
		"location_prefix": u.LocationPrefix, "received_at": u.ReceivedAt, "time": u.Time,
		"env": tagObject(u.Env), "tags": tagObject(u.Tags),
	}
}

// executionObject is one execution as processors see it.
func executionObject(block *testengine.Block, i int, upload map[string]any) map[string]any {
	e := &block.Executions[i]
	object := map[string]any{
		"index": int64(e.Index), "test_id": testengine.FormatID(e.TestID), "scope": e.Scope, "name": e.Name,
		"location": textOrNull(e.Location), "file_name": textOrNull(e.File), "result": e.Result.String(),
		"duration": nil, "failure_reason": textOrNull(e.FailureReason), "suite_error": e.SuiteError,
		"tags": tagObject(e.Tags), "upload": upload,
	}
	if e.HasDuration {
		object["duration"] = e.Duration
	}
	if e.ExternalID() != "" {
		object["external_id"] = e.ExternalID()
	}
	for key, raw := range map[string]testengine.RawJSON{
		"failure_expanded": e.FailureExpanded(), "history": e.History(), "extra": e.Extra(),
	} {
		var value any
		if raw != "" && json.Unmarshal([]byte(raw), &value) == nil {
			object[key] = value
		}
	}
	annotations := map[string]any{}
	if a := block.Annotations; a != nil {
		for _, tag := range a.Executions[i] {
			annotations[tag.Key] = tag.Value
		}
	}
	object["annotations"] = annotations
	return object
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func tagObject(tags []testengine.Tag) map[string]any {
	object := make(map[string]any, len(tags))
	for _, tag := range tags {
		object[tag.Key] = tag.Value
	}
	return object
}
