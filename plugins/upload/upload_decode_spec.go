package upload

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

func decodeSpec() *service.ConfigSpec {
	defaults := defaultLimits
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine", "Parsing").
		Summary("Decodes test uploads into blocks of executions, and accounts for every record of them.").
		Description(decodeDescription).
		Field(stateful.Field("which uploads were seen")).
		Field(numberField(decodeFieldBlockSize).Default(defaults.BlockSize).
			Description("How many executions a block holds at most, up to 2000. A block is also closed when its texts reach 900 KB.")).
		Field(service.NewStringEnumField(decodeFieldKeep, keepAll, keepFacts).Default(keepAll).
			Description("What of a JSON execution is decoded. `facts` is what `flaky_detect` reads: scope, name, file, location, result, failure reason and details, tags. Verdicts and runs come out the same for less work; executions have no duration, history, external id or unknown keys then, so nothing behind should store them.")).
		Field(service.NewStringEnumField(decodeFieldKeepDetails, "failed", "all", "none").Default(string(defaults.KeepDetails)).
			Description("Of which executions `failure_expanded` and `history` are kept. `failed` includes those that passed after a retry inside the runner.")).
		Field(service.NewStringField(decodeFieldMaxDecodedBytes).Default("128MB").
			Description("How large an upload may be once it is unpacked. A larger one is refused in its report.")).
		Fields(decodeLimits(defaults)...).
		Field(fields.NewDuration(decodeFieldWindow).Default("24h").Advanced().
			Description("For how long, in the time of the log, the same body of a suite counts as a duplicate.")).
		Field(service.NewStringEnumField(decodeFieldReports, reportsAlways, reportsProblems).Default(reportsAlways).
			Description("When a message that comes from no upload log is followed by an `upload_report`: `always`, or only with `problems` (a bad record, or no execution at all). Messages of an upload log always are.")).
		Field(service.NewInterpolatedStringField(decodeFieldOrg).Default("local").
			Description("The organisation of messages that have no metadata `org`.")).
		Field(service.NewInterpolatedStringField(decodeFieldSuite).Default("default").
			Description("The suite of messages that have no metadata `suite`.").
			Example("${! @kafka_key }")).
		Example("Uploads of an upload log",
			"Behind `collector_http` and `upload_log` nothing needs to be said but where to remember uploads.",
			`
pipeline:
  processors:
    - label: decode_uploads
      upload_decode:
        keep_details: failed
`).
		Example("Verdicts alone",
			"Where a pipeline puts out verdicts and no executions, detection needs no more than facts.",
			`
pipeline:
  processors:
    - label: decode_uploads
      upload_decode:
        keep: facts
    - label: detect_flaky_tests
      flaky_detect: {}
`).
		Example("Executions from elsewhere",
			"Other streams hand in JSON: an execution, an array of them, or one on each line. Reports that say nothing are left out.",
			`
pipeline:
  processors:
    - label: decode_executions
      upload_decode:
        org: acme
        suite: ${! @kafka_key }
        reports: problems
`)
}

// decodeLimits are the limits of what an upload may hold.
func decodeLimits(defaults assemble.Limits) []*service.ConfigField {
	return []*service.ConfigField{
		numberField(decodeFieldMaxProblems).Default(defaults.MaxProblems).
			Description("How many problems a report lists one by one. All are counted."),
		numberField(decodeFieldMaxDepth).Default(defaults.MaxDepth).Advanced().
			Description("How deep JSON values and XML elements may nest."),
		numberField(decodeFieldMaxUploadTags).Default(defaults.UploadTags).Advanced().
			Description("How many tags an upload may carry. More are dropped and reported."),
		numberField(decodeFieldMaxTags).Default(defaults.ExecutionTags).Advanced().
			Description("How many tags an execution may carry. More are dropped and reported."),
		numberField(decodeFieldMaxTagKey).Default(defaults.TagKeyBytes).Advanced().
			Description("How many bytes the key of a tag may have. A tag with a longer one is dropped and reported."),
		numberField(decodeFieldMaxTagValue).Default(defaults.TagValueBytes).Advanced().
			Description("How many bytes the value of a tag may have. A tag with a longer one is dropped and reported."),
		numberField(decodeFieldMaxEnvKeys).Default(defaults.EnvKeys).Advanced().
			Description("How many keys of `run_env` are kept beside those that have a meaning of their own."),
		numberField(decodeFieldMaxEnvValue).Default(defaults.EnvBytes).Advanced().
			Description("How many bytes a value of `run_env` may have. A longer one is cut and reported."),
		numberField(decodeFieldMaxText).Default(defaults.TextBytes).Advanced().
			Description("How many bytes of a scope, a name, a location, a file or a failure reason are kept. A longer one is cut and reported; tests are told apart by the whole text."),
		numberField(decodeFieldMaxDetail).Default(defaults.DetailBytes).Advanced().
			Description("How many bytes the details of a failure, a history, or the unknown keys of an execution or an upload may have. A larger one is dropped and reported, the execution stays."),
	}
}

const decodeDescription = `
Reads JSON uploads as the collectors of Test Engine send them, single JSON executions, arrays of them, NDJSON, forms (multipart/form-data) with a file in one of the formats ` + "`json`, `junit`, `rspec-json`, `jest-json` (Jest and Vitest), `playwright-json`, `cucumber-json` and `go-jsonl`" + ` (go test -json, gotestsum), and each of these packed with gzip, zstd or deflate. The metadata ` + "`content_type` and `content_encoding`" + ` say which; without them the body's first bytes do. Texts are UTF-8, with or without a byte order mark, or UTF-16 with one, as PowerShell writes files; JUnit XML also has the encoding that its declaration names (Windows-1252, Shift_JIS and others). A form has one file; parts that mean nothing are named in the report.

Of each message it makes, in this order, blocks of at most ` + "`block_size`" + ` executions (` + "`testengine_kind`" + ` is ` + "`block`" + `), and one ` + "`upload_report`" + ` that says how many records were received, accepted and rejected, and why. All of them carry the metadata of the message they came from; blocks also have ` + "`run_key`, `branch` and `has_failures`" + `. Messages of any other kind pass unchanged.

Traces of OTLP (content type ` + "`application/x-protobuf`, or `application/json; schema=otlp`" + `) become executions too, with their real times: each span named ` + "`test.execution`" + `, and each that has the attributes ` + "`test.case.name` and `test.case.result.status`" + ` of OpenTelemetry's conventions. A test counts by its own attributes and those of its resource, so that it does not matter in how many messages a run comes or which spans come with it; a span above it gives it nothing. The spans below a test in the same message are its history (200 of them, of failed executions as ` + "`keep_details`" + ` says). Spans whose test comes in another message, as exporters cut them, are not kept and are counted in the report (field ` + "`history`" + `); spans of suites and sessions are passed over; every other span is rejected alone. The run is ` + "`buildkite.run_key`" + ` of the span, the header's, ` + "`cicd.pipeline.run.id`" + `, or else the process (` + "`service.instance.id`" + `). Several runs in one message are several uploads.

A block is a typed value, decoded once: Bloblang's ` + "`this`" + ` does not see into it, as it does not into a report. A mapping reads ` + "`content().parse_json()`" + ` instead, or the metadata; ` + "`for_each_execution`" + ` gives it single executions.

A record that is no execution (no name, a name that is no string, not an object) is rejected alone and named in the report with index, field and reason. What is wrong but not fatal (an unknown result, a tag outside the limits) is dropped with a remark and the execution stays. An attempt of a test is an execution: a test that a runner reports as passed after a retry it keeps the failure of is a failed and a passed one; where the report only tells that there was one (Vitest, Jest's ` + "`invocations`" + `), the passed execution carries the failure's reason. What keeps tests from running (a file that does not load, a package that does not build) becomes an execution marked ` + "`suite_error`" + `, which is no evidence about a test.

With ` + "`keep: facts`" + ` the rest of a JSON execution is passed over. Records are accepted and rejected as with ` + "`all`" + `, and what is kept is the same. Of an object or an array that is passed over, only quotes and brackets are checked, and nothing in it is remarked on in the report: behind ` + "`collector_http`" + `, which has checked all of it, that makes no difference. Other formats are decoded whole.

A body that cannot be read at all gives a report with one problem of index -1, never an error: nothing disappears without a trace.

The same body of a suite, seen again within ` + "`duplicate_window`" + `, gives only a report with ` + "`duplicate: true`" + `. Only messages of an upload log (metadata ` + "`offset`" + `) are compared: elsewhere a redelivery after a failure must not be taken for a duplicate.

Decoded texts share the memory of the message they came from: it must not be written to afterwards, and whoever keeps a text for long keeps a copy.

### Metrics

- ` + "`testengine_decode_uploads_total`" + ` with label ` + "`result`" + `: decoded, duplicate, refused.
- ` + "`testengine_decode_executions_total`" + ` with label ` + "`result`" + `: accepted, rejected.
- ` + "`testengine_decode_executions_without_result_total`" + ` and ` + "`testengine_decode_suite_errors_total`" + `: accepted executions that name no result, and those that are no test (an import error, a build failure).
- ` + "`testengine_decode_problems_total`" + ` with labels ` + "`field`" + ` and ` + "`reason`" + `: the problems that reports count. Both are words of a fixed list; a body that could not be read has the field body.
- ` + "`testengine_decode_bytes_total`" + `: bytes of uploads as sent.
`
