package window

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
)

const (
	fieldName        = "name"
	fieldFrom        = "from"
	fieldMapping     = "mapping"
	fieldBy          = "by"
	fieldTime        = "time"
	fieldTimeUnit    = "time_unit"
	fieldWhere       = "where"
	fieldField       = "field"
	fieldIn          = "in"
	fieldNotIn       = "not_in"
	fieldWindow      = "window"
	fieldType        = "type"
	fieldSize        = "size"
	fieldSlide       = "slide"
	fieldGap         = "gap"
	fieldDelay       = "delay"
	fieldLateness    = "lateness"
	fieldEarly       = "early"
	fieldMaxAhead    = "max_ahead"
	fieldAggregates  = "aggregates"
	fieldFunction    = "function"
	fieldPercentiles = "percentiles"
	fieldEmit        = "emit"
	fieldPerMessage  = "panes_per_message"
	fieldBytes       = "max_message_bytes"
	fieldMaxPanes    = "max_panes_per_record"
	fieldMaxWindows  = "max_windows"
	fieldMaxSessions = "max_sessions_per_key"
	fieldMaxKey      = "max_key_bytes"
	fieldHot         = "hot_windows"
	fieldError       = "percentile_error"
	fieldPrecision   = "distinct_precision"

	fromJSON    = "json"
	fromBlocks  = "blocks"
	emitWindows = "windows"
	emitBoth    = "both"
)

func aggregateSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine", "Windowing").
		Summary("Aggregates events in tumbling, sliding or session windows of event time, by any key: counts, sums, extremes, averages, distinct counts, percentiles.").
		Description(aggregateDescription).
		Fields(eventFields()...).
		Fields(windowFields()...).
		Fields(limitFields()...).
		Example("Payments of each merchant, minute by minute",
			"Any JSON will do: an object a message, an array of them, or one on each line. Everything that is late goes to a topic of its own.",
			examplePayments).
		Example("Durations and failures of tests by suite and machine",
			"Blocks of executions are read without a line of Bloblang. Blocks go on as they are; every pane follows the block that caused it.",
			exampleBlocks).
		Example("Visits to a site",
			"A mapping makes an event of a message where a field alone does not do. Here a visit is all that a visitor does without a pause of half an hour, and every five minutes it is said how far it got.",
			exampleVisits)
}

func whereField(description string) *service.ConfigField {
	return service.NewObjectListField(fieldWhere,
		service.NewStringField(fieldField).Description("The field that is compared, as text."),
		service.NewStringListField(fieldIn).Description("The field must be one of these.").Default([]any{}),
		service.NewStringListField(fieldNotIn).Description("The field must be none of these. Give either this or `in`.").Default([]any{}),
	).Description(description).Default([]any{})
}

func eventFields() []*service.ConfigField {
	return []*service.ConfigField{
		stateful.Field("windows"),
		service.NewStringField(fieldName).Default("windows").
			Description("The aggregation's name. It stands in every pane and names the processor's state, so that two of a pipeline need two names."),
		service.NewStringEnumField(fieldFrom, fromJSON, fromBlocks).Default(fromJSON).
			Description("What the events are: the JSON objects of messages that have no `testengine_kind`, or the executions of our blocks. Everything else passes."),
		service.NewBloblangField(fieldMapping).Optional().
			Description("Makes the event, or an array of events, of a JSON message; `deleted()` leaves the message out. It costs several microseconds a message; without it fields are read where they stand."),
		service.NewStringListField(fieldBy).Default([]any{}).
			Description("The fields that make the key, each a path of names with dots between them (a dot inside a name is `~1`). A missing one is null. Of a block: `org`, `suite`, `run_key`, `branch`, `commit_sha`, `ci`, `job_id`, `collector`, `collector_version`, `test_runner`, `language_version`, `upload_id`, `test_id`, `scope`, `name`, `location`, `file_name`, `result`, `failure_reason`, `owner`, or a tag by its key. Without any there is one window for all.").
			Example([]any{"merchant.id", "currency"}).Example([]any{"suite", "host.type"}),
		service.NewStringField(fieldTime).Default("").
			Description("The field with the event's time. Without it an event has its message's time (metadata `log_time` or `received_at`, unix milliseconds), an execution its own start if it has one."),
		service.NewStringEnumField(fieldTimeUnit, "s", "ms", "us", "ns", "rfc3339").Default("ms").
			Description("How `time` is written: a number since 1970 in seconds (with fractions), milliseconds, microseconds or nanoseconds, or RFC 3339 text. Windows are in whole milliseconds."),
		whereField("Events must meet all these conditions; others are left out."),
		service.NewObjectListField(fieldAggregates,
			service.NewStringField(fieldName).Description("The value's name in panes."),
			service.NewStringEnumField(fieldFunction, "count", "sum", "min", "max", "avg", "distinct", "percentiles").
				Description("What is computed. `distinct` counts different values (HyperLogLog: exact up to 64 and nearly so for thousands, then 0.8 % standard error); `percentiles` are within `percentile_error` of the exact ones (DDSketch)."),
			service.NewStringField(fieldField).Default("").
				Description("The field it is computed of, in the field's own unit. `count` without one counts events, with one those that have it. Of a block: `duration` (seconds), `failed`, `passed`, `skipped` (1 or 0), or any field of a key. Missing and null are not counted."),
			service.NewFloatListField(fieldPercentiles).Default([]any{50.0, 95.0, 99.0}).
				Description("Which percentiles, 0 to 100, for the function `percentiles`."),
			whereField("Only events that meet all these conditions count for this value."),
		).Description("The values of a pane, up to 50."),
	}
}

func windowFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewObjectField(fieldWindow,
			service.NewStringEnumField(fieldType, "tumbling", "sliding", "session").Default("tumbling").
				Description("`tumbling` windows follow each other, `sliding` ones overlap, a `session` lasts while events keep coming."),
			fields.NewDuration(fieldSize).Default("1m").
				Description("The length of tumbling and sliding windows. They are aligned to 1970-01-01 UTC."),
			fields.NewDuration(fieldSlide).Default("10s").
				Description("The distance between the starts of two sliding windows; the size is a multiple of it."),
			fields.NewDuration(fieldGap).Default("30m").
				Description("A session has ended when its key has had no event for so long; an event exactly the gap later begins another."),
		).Description("How time is cut."),
		fields.NewDuration(fieldDelay).Default("10s").
			Description("How far the watermark stays behind the greatest event time of its partition: how much out of order events may be without a correction."),
		fields.NewDuration(fieldLateness).Default("5m").
			Description("How long after its end, by the watermark, a window still takes events and says so in corrected panes. Later events leave as messages of kind `late`."),
		fields.NewDuration(fieldEarly).Default("0s").
			Description("Say what open windows hold at every full interval of event time, if something was added. `0s` says nothing early."),
		fields.NewDuration(fieldMaxAhead).Default("1h").
			Description("An event whose time is later than its message's own time (metadata `log_time` or `received_at`) by more than this is rejected: one broken clock would close every window. `0s` takes all."),
		service.NewStringEnumField(fieldEmit, emitWindows, emitBoth).Default(emitWindows).
			Description("Whether the messages with the events go on too. With `windows` a record of a log that leads to no pane leaves as an empty object of kind `applied`, so that its position comes through."),
		service.NewIntField(fieldPerMessage).Default(1).
			Description("How many panes a message carries. More than 1 makes a message an array of panes, which costs less when many keys end at once; it has no metadata of a single pane then.").
			LintRule(`root = if this < 1 || this > 10000 { "panes_per_message must be between 1 and 10000" }`),
		service.NewStringField(fieldBytes).Default("900KB").Advanced().
			Description("How many bytes an array of panes may have; what does not fit begins another message. Keep it below the greatest message that the output takes (Kafka's `max.message.bytes`). A pane that is larger alone leaves alone."),
	}
}

func limitFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewIntField(fieldMaxWindows).Default(1_000_000).
			Description("How many windows (of sliding ones: slides) of all keys a partition may hold. Events that would need more are rejected. A window takes 100 to 150 bytes, with percentiles and distinct counts up to 1 KB and more.").
			LintRule(`root = if this < 1 { "max_windows must be at least 1" }`),
		service.NewIntField(fieldMaxPanes).Default(20_000).Advanced().
			Description("How many panes a message leads to at most, so that the end of a window of millions of keys does not fill the memory. The next message, or tick, goes on where it stopped.").
			LintRule(`root = if this < 1 { "max_panes_per_record must be at least 1" }`),
		service.NewIntField(fieldMaxSessions).Default(100).Advanced().
			Description("How many sessions a key may have at a time. Events that would begin more are rejected.").
			LintRule(`root = if this < 1 || this > 1000 { "max_sessions_per_key must be between 1 and 1000" }`),
		service.NewIntField(fieldMaxKey).Default(1024).Advanced().
			Description("How many bytes a key may have, its parts together, up to 16384. Events with a longer one are rejected: a window that the state cannot keep would hold its partition for ever.").
			LintRule(`root = if this < 1 || this > 16384 { "max_key_bytes must be between 1 and 16384" }`),
		service.NewIntField(fieldHot).Default(20_000).Advanced().
			Description("How many windows of a partition are kept decoded. More keys than that at a time cost about a microsecond more an event.").
			LintRule(`root = if this < 1 { "hot_windows must be at least 1" }`),
		service.NewFloatField(fieldError).Default(0.01).Advanced().
			Description("The greatest relative error of percentiles, 0.001 to 0.1. Below 0.0027 numbers are told apart up to a size only (at 0.001 from 1e-113 to 1e113); those beyond count as the last.").
			LintRule(`root = if this < 0.001 || this > 0.1 { "percentile_error must be between 0.001 and 0.1" }`),
		service.NewIntField(fieldPrecision).Default(14).Advanced().
			Description("A distinct count of many things takes 2 to the power of this (8 to 15) bytes and has a standard error of 1.04 divided by the square root of that.").
			LintRule(`root = if this < 8 || this > 15 { "distinct_precision must be between 8 and 15" }`),
	}
}
