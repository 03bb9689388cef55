package testengine

// RunEvent says what happened to a run.
type RunEvent string

// What happens to runs.
const (
	RunOpened   RunEvent = "opened"
	RunClosed   RunEvent = "closed"
	RunReopened RunEvent = "reopened"
)

// Run is all uploads of a suite with one run key, as known at an event.
type Run struct {
	// ID is unique for the event: hash of run, generation and event.
	ID         string   `json:"id"`
	RunID      string   `json:"run_id"`
	Event      RunEvent `json:"event"`
	Org        string   `json:"org"`
	Suite      string   `json:"suite"`
	RunKey     string   `json:"run_key"`
	Branch     string   `json:"branch,omitempty"`
	CommitSHA  string   `json:"commit_sha,omitempty"`
	URL        string   `json:"url,omitempty"`
	Number     string   `json:"number,omitempty"`
	Generation int      `json:"generation"`
	// Time is the log time of the event (a timer's own due time), unix milliseconds.
	Time          int64 `json:"time"`
	FirstUploadAt int64 `json:"first_upload_at"`
	LastUploadAt  int64 `json:"last_upload_at"`
	Uploads       int   `json:"uploads"`
	Executions    int   `json:"executions"`
	Passed        int   `json:"passed"`
	Failed        int   `json:"failed"`
	Skipped       int   `json:"skipped"`
	Unknown       int   `json:"unknown"`
	// Storm names the guard that fired, or "".
	Storm string `json:"storm,omitempty"`
}
