package testengine

import (
	"context"
	"errors"
)

// Record is what one record of a topic carries. Of the log (topic uploads:
// kinds upload, duplicate, change, tick) it holds facts and a body, of every
// other topic a value. Whoever decodes into a Record may use it again and again.
type Record struct {
	// Kind says which of the fields below mean something.
	Kind Kind

	// Org and Suite are the key. Append reads them for the kinds of the log alone;
	// Decode sets them for every kind.
	Org   string
	Suite string

	// The facts of the log's kinds: what the door says about a body (MetaUploadID and so on).
	DefaultBranch   string
	UploadID        string
	ContentType     string
	ContentEncoding string
	ReceivedAt      int64 // unix milliseconds
	// Origin is where a replayed record stood first; its executions keep that name.
	// Nil for a record that is where it always was.
	Origin *Position
	// Chunk says which piece of an upload the body is; nil for a whole one.
	Chunk *Chunk
	// Meta is further metadata of the message, as text.
	Meta []Tag
	// Body is the body as it was sent (gzip stays gzip), the JSON of a Change, or nothing.
	Body []byte

	// Value is the *Block, *UploadReport, *Run or *Verdict of these kinds, else nil.
	Value any
}

// Chunk says which piece of a body a record carries.
type Chunk struct {
	Index int `json:"index"`
	Count int `json:"count"`
	// FirstIndex is the index of the piece's first execution, when pieces are cut between executions.
	FirstIndex int `json:"first_index"`
}

// RecordCodec turns records into the bytes of a topic's records and back. It is
// safe for concurrent use. The resource testengine_schemas is one; without a
// resource, plugins/schema/avro has one with built-in schema ids.
type RecordCodec interface {
	// Prepare makes the schemas of these kinds (of all, when none is named) known
	// where readers look them up. A writer calls it when it connects, before its
	// first record. ErrIncompatibleSchema is for ever, any other error is the
	// registry's: try again. It does nothing the second time.
	Prepare(ctx context.Context, kinds ...Kind) error

	// Append appends r's bytes to dst and returns the extended slice; after an
	// error it returns dst as it was. It does no I/O and keeps nothing of r. An
	// error means that this record cannot be written: its kind is unknown or not
	// prepared, or its value is of another type.
	Append(dst []byte, r *Record) ([]byte, error)

	// Decode reads data into r and sets every field of it. Body and all strings
	// of blocks alias data, which must not be changed afterwards; facts that
	// state may keep (those of Upload, Org, Suite, UploadID) are copies.
	// ErrUnknownSchema and ErrCorruptRecord are the record's fault: it belongs to
	// the dead letters. Any other error is not (the registry is away, ctx has
	// ended): try again.
	Decode(ctx context.Context, data []byte, r *Record) error
}

// Errors of a RecordCodec, for errors.Is.
var (
	// ErrUnknownSchema is a record whose schema id nobody knows.
	ErrUnknownSchema = errors.New("nobody knows the schema of the record")
	// ErrCorruptRecord is a record that its schema does not explain.
	ErrCorruptRecord = errors.New("the record is damaged")
	// ErrIncompatibleSchema is a schema that the registry refuses beside those it has.
	ErrIncompatibleSchema = errors.New("the schema is not compatible with what was written before")
)
