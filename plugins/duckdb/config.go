package duckdb

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	resourceName = "duckdb_database"
	outputName   = "duckdb"

	fieldPath         = "path"
	fieldInMemory     = "in_memory"
	fieldMemoryLimit  = "memory_limit"
	fieldThreads      = "threads"
	fieldCheckpoint   = "checkpoint_threshold"
	fieldRetention    = "retention"
	fieldCleanEvery   = "clean_every"
	fieldTagSets      = "max_tag_sets"
	fieldQueries      = "max_queries"
	fieldQueryTimeout = "query_timeout"
	fieldCloseTimeout = "close_timeout"

	fieldDatabase      = "database"
	fieldMaxInFlight   = "max_in_flight"
	fieldRetryMax      = "retry_max"
	fieldRetryInterval = "retry_initial"
)

// mostThreads and mostQueries are more than anybody has use for.
const (
	mostThreads = 1024
	mostQueries = 10_000
)

func databaseSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine").
		Summary("A DuckDB database for test executions, opened once and shared by the output `duckdb` and the API.").
		Description(`It is opened in the background, so that nothing waits at start; whoever needs it waits until it is ready. `+
			`The schema is brought to its newest version at every start. One process at a time can have the file open.`).
		Field(service.NewStringField(fieldPath).
			Description("The database's file. Its folder is made when it is missing.").Default("./data/testengine.duckdb")).
		Field(service.NewBoolField(fieldInMemory).
			Description("Keep everything in memory and no file, for tests of configurations.").Default(false)).
		Field(service.NewStringField(fieldMemoryLimit).
			Description("How much memory DuckDB may use before it spills to a folder beside the file.").Default("512MB")).
		Field(fields.NewNumber(fieldThreads, 0, mostThreads).
			Description("Threads DuckDB may use while questions are asked; 0 means one a core. Writing takes one.").Default(0)).
		Field(service.NewStringField(fieldCheckpoint).
			Description("Size of the write-ahead log at which it is merged into the file. A greater one writes less often and opens slower after a crash.").
			Advanced().Default("64MB")).
		Field(fields.NewDuration(fieldRetention).
			Description("Age, counted back from the newest record, beyond which executions, uploads, failures and events are deleted. 0s keeps everything.").
			Default("2880h")).
		Field(fields.NewDuration(fieldCleanEvery).
			Description("How often what is too old is deleted.").Advanced().Default("1h")).
		Field(fields.NewNumber(fieldTagSets, 1, fields.Endless).
			Description("Different sets of tags a suite may have. Beyond, its uploads' tags are stored with the upload alone, and beyond that again, executions' tags go to a side table, which is slower to write and to slice by.").
			Advanced().Default(10000)).
		Field(fields.NewNumber(fieldQueries, 1, mostQueries).
			Description("Questions answered at one time; more wait.").Advanced().Default(4)).
		Field(fields.NewDuration(fieldQueryTimeout).
			Description("Time after which a question is given up, waiting included.").Default("30s")).
		Field(fields.NewDuration(fieldCloseTimeout).
			Description("Time the last checkpoint may take at the end. Without it nothing is lost, but the next start takes longer.").
			Advanced().Default("10s")).
		LintRule(`root = if this.path.or("x") == "" && !this.in_memory.or(false) { ["give a path, or set in_memory"] }`).
		Example("One file beside the log", "The store of an embedded pipeline.", `
duckdb_database:
  - label: database
    path: ./data/testengine.duckdb
    retention: 2160h
`)
}

// settings are the resource's fields, parsed.
type settings struct {
	path         string
	inMemory     bool
	memoryLimit  string
	threads      int
	checkpoint   string
	retention    time.Duration
	cleanEvery   time.Duration
	tagSets      int
	queries      int
	queryTimeout time.Duration
	closeTimeout time.Duration
}

func settingsFromParsed(conf *service.ParsedConfig) (s settings, err error) {
	p := fields.Into(&err, conf)
	s = settings{
		path: p.Text(fieldPath), inMemory: p.Truth(fieldInMemory), memoryLimit: p.Text(fieldMemoryLimit), checkpoint: p.Text(fieldCheckpoint),
		threads: p.NumberWithin(0, mostThreads, fieldThreads), tagSets: p.NumberWithin(1, fields.Endless, fieldTagSets),
		queries: p.NumberWithin(1, mostQueries, fieldQueries), retention: p.Duration(fieldRetention), cleanEvery: p.Period(fieldCleanEvery),
		queryTimeout: p.Period(fieldQueryTimeout), closeTimeout: p.Period(fieldCloseTimeout),
	}
	switch {
	case err != nil:
	case s.path == "" && !s.inMemory:
		err = errors.New("give a path, or set in_memory")
	case strings.ContainsAny(s.path, "?%#"):
		err = fmt.Errorf("the path %q has a ?, %% or # in it, which the driver cannot take", s.path)
	}
	if s.threads == 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	return s, err
}

func outputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine").
		Summary("Stores blocks of executions, upload reports, runs and verdicts in a DuckDB database, each exactly once.").
		Description(`Takes messages of the kinds block, upload_report, run and verdict; of all others it only notes that they have passed. `+
			`The rows of a batch and the position in the log behind them are written in one transaction, and records that are stored already are dropped. `+
			`When the database cannot write, the output waits and tries again until it can: the log in front keeps what comes in.`+
			"\n\nWhat can never go well ends the process with one sentence: a `database` that is not in the configuration, one that cannot be opened, and records of another log than those it has. In `streams` mode it ends its stream alone, which `/ready` then names."+
			"\n\nMessages without an offset are stored at least once."+
			"\n\nMetrics: `testengine_stored_executions_total`, and `testengine_store_retries_total`, batches that could not be written and were tried again.").
		Field(service.NewStringField(fieldDatabase).
			Description("Label of the `duckdb_database` to write to.").Default("database")).
		Field(fields.NewNumber(fieldMaxInFlight, 1, fields.Endless).
			Description("Batches that may wait to be stored at a time.").Default(16)).
		Field(fields.NewDuration(fieldRetryInterval).
			Description("Pause before a failed write is tried again; it doubles with each failure.").Advanced().Default("100ms")).
		Field(fields.NewDuration(fieldRetryMax).
			Description("Longest pause between tries.").Advanced().Default("5s")).
		Example("Behind detection", "Everything a detecting pipeline emits goes into one database.", `
duckdb_database:
  - label: database
    path: ./data/testengine.duckdb

output:
  label: executions
  duckdb:
    database: database
`)
}
