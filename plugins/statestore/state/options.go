package state

import "time"

// Options say where and how a Store keeps its files.
type Options struct {
	// Dir is the folder; one process holds it (lock).
	Dir string
	// InMemory writes nothing: the state begins where the log begins.
	InMemory bool
	// SegmentBytes is the size at which a delta segment is sealed before its time.
	SegmentBytes int64
	// Keep is the number of manifests kept for each partition.
	Keep int
	// MergeBytes is how many bytes of deltas may lie beside the base before they are merged into it.
	MergeBytes int64
	// Pipeline names the pipeline the state belongs to. State of another one is refused.
	Pipeline string
	// Depot is where snapshots are uploaded for other nodes; nil keeps them here.
	Depot Depot
	// Process is a random word that no other process of the pipeline has, for the
	// names of uploaded files.
	Process string
	// OrphanAge is how old an uploaded file that no manifest names must be to be removed.
	OrphanAge time.Duration
	// Uploaded is told of every partition's upload.
	Uploaded func(took time.Duration, err error)
	// Now is the clock by which snapshots are measured and uploads are aged; what
	// the state holds does not depend on it.
	Now func() time.Time
	// Snapshotted is told of every partition's snapshot.
	Snapshotted func(took time.Duration, err error)
	// Warn is told what was repaired, one sentence each; nil is silent.
	Warn func(text string)
}

const (
	defaultSegmentBytes = 16 << 20
	defaultKeep         = 3
	defaultMergeBytes   = 16 << 20
)

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.MergeBytes <= 0 {
		o.MergeBytes = defaultMergeBytes
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	if o.Snapshotted == nil {
		o.Snapshotted = func(time.Duration, error) {}
	}
	if o.Uploaded == nil {
		o.Uploaded = func(time.Duration, error) {}
	}
	if o.OrphanAge <= 0 {
		o.OrphanAge = time.Hour
	}
	if o.Process == "" {
		o.Process = "local"
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return o
}
