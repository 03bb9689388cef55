package window

const aggregateDescription = `
Takes the events of each message, puts every event into the windows of its key, and says what a window holds in panes. Time is that of the events and of the log, never a clock's: a replay gives the same panes, byte for byte.

### Panes

A pane is a JSON object in a message of kind ` + "`window`" + `:

` + "```json" + `
{"id":"7c1f0b4f0b0c9a55","name":"payments_per_minute","pane":"on_time","version":1,
 "start":1777896000000,"end":1777896060000,"watermark":1777896060000,
 "key":{"merchant.id":"m1","currency":"EUR"},"events":3,
 "values":{"payments":3,"amount":61.5,"amounts":{"p50":20.1,"p99":30.3}}}
` + "```" + `

Times are unix milliseconds, the end excluded. ` + "`events`" + ` is how many events the window holds. The message has them as metadata too (` + "`window`, `pane`, `version`, `window_start`, `window_end`" + `), and ` + "`due`" + `, the log time that caused the pane.

- ` + "`on_time`" + `: the watermark has reached the window's end.
- ` + "`early`" + `: the window is still open (field ` + "`early`" + `).
- ` + "`corrected`" + `: an event has come after the end, within the lateness.

A window, named by ` + "`name`, `key` and `start`" + `, has versions: a pane replaces those with a smaller one. ` + "`id`" + ` is a hash of everything else in the pane and of the partition, so that a store may drop repeats. A session that an event has joined to an earlier one, or that now begins earlier, is withdrawn by a pane without events that says ` + "`merged_into`" + `. Values that do not exist (the sum, average or least of nothing) are null.

### The watermark

Each partition has its own: the greatest event time so far, less ` + "`delay`" + `. It moves when a message has been applied, so that the order inside a message does not matter. A partition without events stands still; a message of kind ` + "`tick`" + ` with the metadata ` + "`log_time`" + ` (unix milliseconds) moves it as an event of that time would. Our logs append ticks when something is due; another stream can make them with a ` + "`generate`" + ` input.

A stream that is no log of ours has one partition, takes every message once as it comes, and needs ` + "`pipeline.threads: 1`" + ` for its order. Give its messages the metadata ` + "`partition`, `offset` and `log_time`" + ` (from ` + "`@kafka_partition`, `@kafka_offset` and `@kafka_timestamp_ms`" + `) and each partition has a watermark of its own, and a record that is delivered again is not counted again.

### What is in no window

Nothing disappears. Events that are left leave in a message with all metadata of the one they came in and ` + "`events`" + `, their number. One event leaves as it is, several leave as an array; of a block, a block.

- Kind ` + "`late`" + `, metadata ` + "`late: true`" + `: every window of the event has ended longer ago than ` + "`lateness`" + `. Send them to a topic of their own.
- Kind ` + "`rejected`" + `, metadata ` + "`rejected: true`" + ` and ` + "`reason`" + `: a field of the wrong kind, no number (NaN), no time or one that cannot be (nanoseconds for milliseconds), no JSON, a key longer than ` + "`max_key_bytes`" + `, or a limit that was reached. The reason of the first one names the field, and is logged once a message.

### State

What windows hold lies in the state (field ` + "`state`" + `): it is restored, rolled back and replayed with the log without any code here. A window is written once a record, and of its sketches only the newest 64 items; the rest is written when these are full.

A state goes on in a topic with more partitions, each window whole (` + "`connect-testengine state import --windows`" + `), when the key of records follows from the fields of ` + "`by`" + `.

A value of the state has at most 64 KiB, and no event makes a longer one: a window is its key (` + "`max_key_bytes`" + `) and at most 27 KB of numbers, the rest of a percentile has 4096 buckets, that of a distinct count up to 35 KB.

### Metrics

- ` + "`testengine_window_events_total`" + ` with label ` + "`result`" + `: taken, left_out (by a condition), late, rejected.
- ` + "`testengine_window_panes_total`" + ` with label ` + "`pane`" + `: early, on_time, corrected.
`

const (
	examplePayments = `
pipeline:
  threads: 1
  processors:
    - label: payments_per_minute
      window_aggregate:
        name: payments_per_minute
        by: [ merchant.id, currency ]
        time: paid_at
        time_unit: rfc3339
        where:
          - { field: status, in: [ settled, refunded ] }
        window: { type: tumbling, size: 1m }
        delay: 5s
        aggregates:
          - { name: payments, function: count }
          - { name: refunds, function: count, where: [ { field: status, in: [ refunded ] } ] }
          - { name: amount, function: sum, field: amount }
          - { name: customers, function: distinct, field: customer }
          - { name: amounts, function: percentiles, field: amount, percentiles: [ 50, 95, 99 ] }

output:
  switch:
    cases:
      - check: '@testengine_kind == "window"'
        output:
          stdout: {}
      - check: '@testengine_kind == "late" || @testengine_kind == "rejected"'
        output:
          drop: {}
`

	exampleBlocks = `
pipeline:
  processors:
    - label: tests_by_machine
      window_aggregate:
        name: tests_by_machine
        from: blocks
        by: [ suite, host.type ]
        window: { type: sliding, size: 1h, slide: 5m }
        aggregates:
          - { name: executions, function: count }
          - { name: failures, function: sum, field: failed }
          - { name: duration, function: percentiles, field: duration, percentiles: [ 50, 99 ] }
          - { name: tests, function: distinct, field: test_id }
        emit: both
`

	exampleVisits = `
pipeline:
  threads: 1
  processors:
    - label: visits
      window_aggregate:
        name: visits
        mapping: |
          root = if this.agent.contains("bot") { deleted() } else {
            {
              "visitor": this.user.or(this.address),
              "at": @kafka_timestamp_ms,
              "page": this.url.split("?").index(0)
            }
          }
        by: [ visitor ]
        time: at
        time_unit: ms
        window: { type: session, gap: 30m }
        early: 5m
        aggregates:
          - { name: pages, function: distinct, field: page }
          - { name: clicks, function: count }
`
)
