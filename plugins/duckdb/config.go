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
		Field(service.NewIntField(fieldThreads).
			Description("Threads DuckDB may use while questions are asked; 0 means one a core. Writing takes one.").Default(0).
			LintRule(`root = if this < 0 { ["threads cannot be negative"] }`)).
		Field(service.NewStringField(fieldCheckpoint).
			Description("Size of the write-ahead log at which it is merged into the file. A greater one writes less often and opens slower after a crash.").
			Advanced().Default("64MB")).
		Field(fields.NewDuration(fieldRetention).
			Description("Age, counted back from the newest record, beyond which executions, uploads, failures and events are deleted. 0s keeps everything.").
			Default("2880h")).
		Field(fields.NewDuration(fieldCleanEvery).
			Description("How often what is too old is deleted.").Advanced().Default("1h")).
		Field(service.NewIntField(fieldTagSets).
			Description("Different sets of tags a suite may have. Beyond, its uploads' tags are stored with the upload alone, and beyond that again, executions' tags go to a side table, which is slower to write and to slice by.").
			Advanced().Default(10000)).
		Field(service.NewIntField(fieldQueries).
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
	strs := map[string]*string{fieldPath: &s.path, fieldMemoryLimit: &s.memoryLimit, fieldCheckpoint: &s.checkpoint}
	for field, to := range strs {
		if *to, err = conf.FieldString(field); err != nil {
			return s, err
		}
	}
	ints := map[string]*int{fieldThreads: &s.threads, fieldTagSets: &s.tagSets, fieldQueries: &s.queries}
	for field, to := range ints {
		if *to, err = conf.FieldInt(field); err != nil {
			return s, err
		}
	}
	durations := map[string]*time.Duration{
		fieldRetention: &s.retention, fieldCleanEvery: &s.cleanEvery,
		fieldQueryTimeout: &s.queryTimeout, fieldCloseTimeout: &s.closeTimeout,
	}
	for field, to := range durations {
		if *to, err = fields.Duration(conf, field); err != nil {
			return s, err
		}
	}
	if s.inMemory, err = conf.FieldBool(fieldInMemory); err != nil {
		return s, err
	}
	if s.threads == 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	return s, s.check()
}

func (s settings) check() error {
	switch {
	case s.path == "" && !s.inMemory:
		return errors.New("give a path, or set in_memory")
	case strings.ContainsAny(s.path, "?%#"):
		return fmt.Errorf("the path %q has a ?, %% or # in it, which the driver cannot take", s.path)
	case s.queries < 1 || s.tagSets < 1 || s.threads < 1:
		return fmt.Errorf("%s and %s must be at least 1, %s at least 0", fieldQueries, fieldTagSets, fieldThreads)
	case s.cleanEvery <= 0 || s.queryTimeout <= 0 || s.closeTimeout <= 0 || s.retention < 0:
		return fmt.Errorf("%s, %s and %s must be longer than nothing, %s at least 0s", fieldCleanEvery, fieldQueryTimeout, fieldCloseTimeout, fieldRetention)
	}
	return nil
}

func outputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine").
		Summary("Stores blocks of executions, upload reports, runs and verdicts in a DuckDB database, each exactly once.").
		Description(`Takes messages of the kinds block, upload_report, run and verdict; of all others it only notes that they have passed. `+
			`The rows of a batch and the position in the log behind them are written in one transaction, and records that are stored already are dropped. `+
			`When the database cannot write, the output waits and tries again until it can: the log in front keeps what comes in.`+
			"\n\nMessages without an offset are stored at least once.").
		Field(service.NewStringField(fieldDatabase).
			Description("Label of the `duckdb_database` to write to.").Default("database")).
		Field(service.NewOutputMaxInFlightField().Default(16)).
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
