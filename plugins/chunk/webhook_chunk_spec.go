package chunk

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	cfMode       = "mode"
	cfFormat     = "format"
	cfPath       = "path"
	cfMaxBytes   = "max_bytes"
	cfDecoded    = "max_decoded_bytes"
	cfPayloadID  = "payload_id"
	cfClaimCheck = "claim_check"
	cfCache      = "cache"
	cfThreshold  = "threshold"

	modeRecords = testengine.ChunkRecords
	modeBytes   = testengine.ChunkBytes
)

func chunkSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Parsing").
		Summary("Cuts large payloads into messages that fit into a log of small ones: between their records, or by bytes.").
		Description(`A payload of at most `+"`max_bytes`"+` passes unchanged. A larger one becomes several messages, in order:

- `+"`records`"+` mode cuts between the elements of a JSON array, the lines of NDJSON, or the test cases of JUnit XML. Every chunk is a complete document: what stands around the records (the envelope) is repeated in each, so chunks can be processed alone and in parallel. Their records, in order, are the records of the payload.
- `+"`bytes`"+` mode cuts anywhere. Input `+"`webhook_reassemble`"+` makes the payload of the pieces again.

A payload that cannot be cut between records (one record with its envelope is longer than `+"`max_bytes`"+`, or it is broken) is cut by bytes; `+"`chunk_mode`"+` tells which.

Uploads of collectors (kind `+"`upload`"+`, as input `+"`collector_http`"+` makes them) tell their format themselves, also inside forms, and are unpacked before they are cut when they are larger than `+"`max_bytes`"+` unpacked or packed. Where an upload is cut depends on its body alone, never on this configuration: its chunks are at most 900,000 bytes, so that the same upload sent through two doors gives the same chunks and is recognised.

Metadata of a chunk: `+"`chunk_mode`, `chunk_index` (from 0), `chunk_count`"+`; in records mode `+"`chunk_first_index`"+`, the index of its first record; in bytes mode `+"`payload_id`, `payload_bytes`, `payload_checksum`"+` (XXH3-128 of the whole).

Metrics: `+"`testengine_chunk_payloads_total{mode}` (mode `whole` for those that passed), `testengine_chunks_total{mode}`"+`.`).
		Fields(
			service.NewStringEnumField(cfMode, modeRecords, modeBytes).
				Description("Cut between records, or anywhere.").
				Default(modeRecords),
			service.NewStringEnumField(cfFormat, "auto", "json", "ndjson", "junit").
				Description("What the payload is, in records mode. `auto` goes by the metadata `content_type`, then by the first byte: `<` is JUnit, else JSON.").
				Default("auto"),
			service.NewStringField(cfPath).
				Description("Where a JSON payload has its records: the keys that lead to the array, with dots between them. Empty for a payload that is an array itself.").
				Default("data").
				Example("commits").Example("response.items"),
			service.NewStringField(cfMaxBytes).
				Description("The most bytes of one chunk. Uploads always have 900 kB.").
				Default("900kB"),
			service.NewStringField(cfDecoded).
				Description("The most bytes a packed upload may have unpacked.").
				Default("128MB").Advanced(),
			service.NewInterpolatedStringField(cfPayloadID).
				Description("Names the payload, in bytes mode. Equal payloads should have equal names: pieces that arrive twice are dropped. By default the metadata `upload_id`, else a hash of the content.").
				Default("").
				Example(`${! @X-GitHub-Delivery }`),
			service.NewObjectField(cfClaimCheck,
				service.NewStringField(cfCache).
					Description("A cache (`file`, `aws_s3`, …) that keeps payloads above the threshold. Empty for none.").
					Default(""),
				service.NewStringField(cfThreshold).
					Description("Payloads above this go into the cache whole, under their `payload_id` (its hash, unless that is up to 128 letters, digits, dots, dashes and underscores), and only a note of them is passed on, with the key as metadata `claim_check`. Input `webhook_reassemble` with the same cache fetches them again. Nothing is deleted from the cache.").
					Default("64MB"),
			).Description("Leave very large payloads in a store and send a note.").Advanced(),
		).
		Example("A webhook through Kafka", "Events of a code host, up to 25 MB, through a topic whose messages are at most 1 MB. Each chunk has the whole envelope and some of the commits.", `
pipeline:
  processors:
    - label: cut_pushes
      webhook_chunk:
        path: commits
        payload_id: ${! @X-GitHub-Delivery }
`)
}
