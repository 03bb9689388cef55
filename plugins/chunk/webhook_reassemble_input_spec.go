package chunk

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/join"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	rfInput       = "input"
	rfTimeout     = "timeout"
	rfSource      = "source"
	rfSourceBytes = "max_source_bytes"
	rfMaxPieces   = "max_pieces"
	rfRemembered  = "remembered"
	rfClaimCheck  = "claim_check_cache"
)

func reassembleSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Utility").
		Summary("Makes payloads of the pieces that `webhook_chunk` cut by bytes, whatever input they come from.").
		Description(`Pieces may come in any order and more than once. A payload leaves when all its pieces are there and its checksum is right; until it has been acknowledged the inner input's messages are not, so nothing counts as done before it is whole and a restart loses nothing. The inner input must therefore let as many messages be in flight as the payloads that are open together have pieces.

Messages without `+"`payload_id`"+` pass unchanged, chunks that were cut between records too. A message with `+"`claim_check`"+` is replaced by what the cache holds.

What cannot be joined leaves as well, piece by piece, with the metadata `+"`reason`"+` that says why, so that a `+"`switch`"+` can send it to dead letters: a payload that is not whole in time, one whose source holds too much, a wrong checksum, a piece that does not fit.

The metadata of a payload is that of its first piece, without what describes pieces.

Metrics: `+"`testengine_reassemble_payloads_total{result}`"+` (joined, timeout, budget, mismatch, checksum, claim_check), `+"`testengine_reassemble_open_payloads`, `testengine_reassemble_open_bytes`"+`.`).
		Fields(reassembleFields()...).
		Example("A webhook through Kafka", "The other end of the example of `webhook_chunk`, in bytes mode; what cannot be joined goes to a topic of its own.", `
input:
  label: deliveries
  webhook_reassemble:
    timeout: 2m
    source: ${! @kafka_key }
    input:
      label: pieces
      kafka_franz:
        seed_brokers: [ "localhost:9092" ]
        topics: [ deliveries ]
        consumer_group: deliveries

output:
  label: where_to
  switch:
    cases:
      - check: '@reason != null'
        output:
          label: dead_letters
          kafka_franz:
            seed_brokers: [ "localhost:9092" ]
            topic: dead_letters
      - output:
          label: payloads
          stdout: {}
`)
}

func reassembleFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInputField(rfInput).Description("Where the pieces come from."),
		fields.NewDuration(rfTimeout).
			Description("How long after its first piece a payload must be whole.").
			Default("5m"),
		service.NewInterpolatedStringField(rfSource).
			Description("Who sent the payload, for the budget.").
			Default(`${! @org }/${! @suite }`),
		service.NewStringField(rfSourceBytes).
			Description("How many bytes the open payloads of one source may hold. Beyond it the oldest of them is given up.").
			Default("256MB"),
		fields.NewNumber(rfMaxPieces, 1, fields.Endless).
			Description("The most pieces a payload may have.").
			Default(100_000).Advanced(),
		fields.NewNumber(rfRemembered, 0, fields.Endless).
			Description("How many payloads that were whole are remembered, to drop pieces that come again.").
			Default(10_000).Advanced(),
		service.NewStringField(rfClaimCheck).
			Description("The cache in which `webhook_chunk` left very large payloads. Empty for none.").
			Default("").Advanced(),
		service.NewAutoRetryNacksToggleField(),
	}
}

// reassembleConfig is the configuration without the inner input.
type reassembleConfig struct {
	limits join.Limits
	source *service.InterpolatedString
	cache  string
}

func reassembleFromParsed(conf *service.ParsedConfig) (c reassembleConfig, err error) {
	p := fields.Into(&err, conf)
	c.limits = join.Limits{
		Timeout: p.Duration(rfTimeout), SourceBytes: int64(sizeFrom(p, rfSourceBytes)),
		MaxPieces: p.NumberWithin(1, fields.Endless, rfMaxPieces), Remembered: p.NumberWithin(0, fields.Endless, rfRemembered),
	}
	c.source, c.cache = p.Interpolated(rfSource), p.Text(rfClaimCheck)
	return c, err
}
