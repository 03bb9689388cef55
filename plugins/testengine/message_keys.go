package testengine

// Kind says what a message carries. Every message between our components has
// it as metadata MetaKind; outputs take the kinds they know and pass by the rest.
type Kind string

// The kinds.
const (
	// KindUpload is a body as a collector sent it. The door writes it, upload_decode consumes it.
	KindUpload Kind = "upload"
	// KindDuplicate marks a delivery whose body the log already holds: metadata only, no body.
	KindDuplicate Kind = "duplicate"
	// KindBlock is a *Block.
	KindBlock Kind = "block"
	// KindUploadReport is an *UploadReport; it is the last message of its log record.
	KindUploadReport Kind = "upload_report"
	// KindRun is a *Run: opened, closed or reopened.
	KindRun Kind = "run"
	// KindVerdict is a *Verdict.
	KindVerdict Kind = "verdict"
	// KindChange is a *Change: somebody changed how a suite is judged or annotated.
	KindChange Kind = "change"
	// KindWindow is what a window of event time says, as JSON (window_aggregate).
	KindWindow Kind = "window"
	// KindLate is events that came after their windows took no more (window_aggregate).
	KindLate Kind = "late"
	// KindRejected is what cannot be processed, as it came: events that are none
	// (window_aggregate), pieces that cannot be joined (webhook_reassemble). Metadata
	// `reason` says why.
	KindRejected Kind = "rejected"
	// KindApplied stands for a record of which nothing else is left: an empty object.
	KindApplied Kind = "applied"
	// KindTick only moves time: an empty object.
	KindTick Kind = "tick"
)

// Metadata keys. The door sets the first group, the log adds the second; a
// client can set none of them. Numbers are int64 values, not text.
const (
	MetaKind            = "testengine_kind"
	MetaOrg             = "org"
	MetaSuite           = "suite"
	MetaDefaultBranch   = "default_branch"
	MetaUploadID        = "upload_id"
	MetaReceivedAt      = "received_at" // unix milliseconds
	MetaContentType     = "content_type"
	MetaContentEncoding = "content_encoding"
	// MetaBodyGiven is true when whoever made the message never writes to its body
	// again: the log keeps it then instead of a copy, and does not store the word.
	MetaBodyGiven = "body_given"
	// MetaWaited is for how many milliseconds an upload waited at the door for others,
	// once it was there. Whoever lets it wait for longer counts that in; no log stores it.
	MetaWaited = "testengine_waited"

	MetaLogID     = "log_id"
	MetaPartition = "partition" // the lane, or the partition of a topic
	MetaOffset    = "offset"
	MetaTopic     = "kafka_topic" // of the record; a lane has none
	MetaLogTime   = "log_time"    // T: greatest time of the records up to this one, unix milliseconds
	MetaCycle     = "cycle"       // the Kafka transaction that the record belongs to
	// A store that is fed in ranges takes [begin, end) of a partition whole.
	MetaRangeBegin = "range_begin"
	MetaRangeEnd   = "range_end"
	// A batch is [begin, end) of its lane, and the one in front of it may still be on
	// its way into the store: its first record says begin, its last one end.
	MetaBatchBegin = "batch_begin"
	MetaBatchEnd   = "batch_end"
	MetaSilent     = "silent" // true: the record was done before, it only brings state back; outputs pass it by

	// Where a replayed record stood first: its executions keep that name.
	MetaOriginLogID     = "origin_log_id"
	MetaOriginPartition = "origin_partition"
	MetaOriginOffset    = "origin_offset"

	// Facts for routing, set by upload_decode on blocks.
	MetaRunKey      = "run_key"
	MetaBranch      = "branch"
	MetaHasFailures = "has_failures"

	// Of a piece of a larger body, set by webhook_chunk: which piece of how many
	// (from 0), and the index of its first record where it is cut between records.
	MetaChunkMode       = "chunk_mode" // ChunkRecords or ChunkBytes
	MetaChunkIndex      = "chunk_index"
	MetaChunkCount      = "chunk_count"
	MetaChunkFirstIndex = "chunk_first_index"
	// Of a piece in bytes mode: the whole that webhook_reassemble makes of all pieces.
	MetaPayloadID       = "payload_id"
	MetaPayloadBytes    = "payload_bytes"
	MetaPayloadChecksum = "payload_checksum"
	// MetaClaimCheck is the key under which a cache holds the body; the message holds only a note.
	MetaClaimCheck = "claim_check"
)

// The values of MetaChunkMode.
const (
	ChunkRecords = "records"
	ChunkBytes   = "bytes"
)
