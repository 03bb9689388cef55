package testengine

// UploadReport accounts for one delivery, record by record: Received =
// Accepted + Rejected, or the whole delivery was a Duplicate.
type UploadReport struct {
	Position
	UploadID string `json:"upload_id"`
	Org      string `json:"org"`
	Suite    string `json:"suite"`
	// Chunk says which piece of the upload the report accounts for; nil for a whole
	// one. The reports of all pieces add up to the upload's.
	Chunk      *Chunk `json:"chunk,omitempty"`
	RunID      string `json:"run_id,omitempty"`
	RunKey     string `json:"run_key,omitempty"`
	Format     string `json:"format,omitempty"`
	Collector  string `json:"collector,omitempty"`
	Branch     string `json:"branch,omitempty"`
	CommitSHA  string `json:"commit_sha,omitempty"`
	ReceivedAt int64  `json:"received_at"`
	Time       int64  `json:"time"`
	Bytes      int    `json:"bytes"`
	Received   int    `json:"received"`
	Accepted   int    `json:"accepted"`
	Rejected   int    `json:"rejected"`
	// Duplicate says that this body of this suite was processed before; nothing of it was processed again.
	Duplicate bool `json:"duplicate,omitempty"`
	// WithoutResult counts accepted executions that name no result (pytest-rerunfailures sends them).
	WithoutResult int `json:"without_result,omitempty"`
	SuiteErrors   int `json:"suite_errors,omitempty"`
	// Problems are the first problems found; ProblemCounts counts all of them by "field: reason".
	Problems      []Problem      `json:"problems,omitempty"`
	ProblemCounts map[string]int `json:"problem_counts,omitempty"`
}

// Problem is one rejected record, or (index -1) a remark on the upload.
type Problem struct {
	Index  int    `json:"index"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
	// Snippet is the start of the offending value, at most 200 bytes of valid UTF-8.
	Snippet string `json:"snippet,omitempty"`
}
