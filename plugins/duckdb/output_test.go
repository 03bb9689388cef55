package duckdb

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/refused"
)

// startStream runs a stream with a database in path and gives a function that feeds it.
func startStream(t *testing.T, path string) (feed service.MessageBatchHandlerFunc, stop func()) {
	t.Helper()
	env := service.GlobalEnvironment()
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(`
duckdb_database:
  - label: database
    path: `+path+`
output:
  label: executions
  duckdb:
    database: database
    retry_initial: 1ms
logger:
  level: none
`))
	feed, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	return feed, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, stream.Stop(ctx))
		require.NoError(t, <-ended)
	}
}

func TestAStreamStoresWhatItIsFed(t *testing.T) {
	path := databasePath(t)
	feed, stop := startStream(t, path)
	r := newRecord(0, 50)
	r.extra = []any{
		&testengine.Run{ID: "e1", RunID: r.upload.RunID, Event: testengine.RunOpened, Org: "acme", Suite: "unit", Time: r.upload.Time},
		&testengine.Verdict{ID: "v1", Time: testengine.Time(r.upload.Time), Type: testengine.TestNew, Org: "acme", Suite: "unit", TestID: testengine.FormatID(r.tests[0].TestID)},
	}
	require.NoError(t, feed(t.Context(), r.messages(20)))
	tick := newRecord(1, 0)
	require.NoError(t, feed(t.Context(), service.MessageBatch{tick.message(testengine.KindTick, map[string]any{})}))
	held := newRecord(2, 0) // a piece of a payload that is not whole yet
	require.NoError(t, feed(t.Context(), service.MessageBatch{held.message(testengine.KindApplied, map[string]any{})}))
	// Another pipeline's messages, and a message it cannot read as ours, pass.
	require.NoError(t, feed(t.Context(), service.MessageBatch{service.NewMessage([]byte("hello"))}))
	stop()

	d := openDatabase(t, testSettings(path)) // the stream let go of the file
	require.EqualValues(t, 50, count(t, d, "SELECT count(*) FROM executions"))
	require.EqualValues(t, 1, count(t, d, "SELECT count(*) FROM verdicts"))
	require.EqualValues(t, 1, count(t, d, "SELECT count(*) FROM run_events"))
	require.EqualValues(t, 3, count(t, d, "SELECT next_offset FROM watermarks"), "the tick and what was only applied moved the watermark")
}

func TestRecordsAsBytesAreStoredToo(t *testing.T) {
	path := databasePath(t)
	feed, stop := startStream(t, path)
	batch := newRecord(0, 5).messages(5)
	for _, m := range batch {
		raw, err := m.AsBytes()
		require.NoError(t, err)
		m.SetBytes(raw)
	}
	require.NoError(t, feed(t.Context(), batch))
	stop()
	d := openDatabase(t, testSettings(path))
	require.EqualValues(t, 5, count(t, d, "SELECT count(*) FROM executions WHERE name LIKE 'does thing%'"))
}

func TestTheOutputWaitsUntilTheDatabaseCanWrite(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	fails := 2
	d.beforeCommit = func() error {
		if fails--; fails >= 0 {
			return errMoved
		}
		return nil
	}
	o := outputTo(d)
	require.NoError(t, o.WriteBatch(t.Context(), newRecord(0, 5).messages(5)))
	require.EqualValues(t, 5, count(t, d, "SELECT count(*) FROM executions"))

	d.beforeCommit = func() error { return errMoved }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, o.WriteBatch(ctx, newRecord(1, 5).messages(5)), context.DeadlineExceeded)
}

func TestWhatTheStateHasNotTakenIsGivenBackWhole(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	o := outputTo(d)
	batch := newRecord(0, 5).messages(5)
	batch[len(batch)-1].SetError(fmt.Errorf("detecting: %w", testengine.ErrNotRemembered))
	require.ErrorIs(t, o.WriteBatch(t.Context(), batch), testengine.ErrNotRemembered)
	require.Zero(t, count(t, d, "SELECT count(*) FROM executions"))
	require.NoError(t, o.WriteBatch(t.Context(), newRecord(0, 5).messages(5)), "it comes again")
	require.EqualValues(t, 5, count(t, d, "SELECT count(*) FROM executions"))
}

// refusedStream is what a stream with such a database logs until its output has ended it.
func refusedStream(t *testing.T, database string) string {
	t.Helper()
	return refused.Stream(t, service.GlobalEnvironment(), `
duckdb_database: [ `+database+` ]
input: {generate: {mapping: 'root = ""', interval: 1h}}
output: {duckdb: {database: database}}
`)
}

func TestAnOutputThatCanNeverStoreEndsItsStream(t *testing.T) {
	for _, test := range []struct{ name, database, says string }{
		{"a database that is not in the configuration", "{label: elsewhere, in_memory: true}", "unable to locate resource: database"},
		{"a database that cannot be opened", "{label: database, path: /dev/null/none}", "opening the database /dev/null/none"},
		{"a setting that DuckDB does not take", "{label: database, in_memory: true, memory_limit: nothing}", "opening the database in memory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := refusedStream(t, test.database)
			require.Equal(t, 1, strings.Count(said, "The stream ends: "), said)
			require.Contains(t, said, test.says)
		})
	}
	t.Run("records of another log", func(t *testing.T) {
		o := outputTo(openDatabase(t, testSettings("")))
		require.NoError(t, o.WriteBatch(t.Context(), newRecord(0, 1).messages(1)))
		other := newRecord(1, 1)
		other.position.LogID = "log-b"
		require.ErrorIs(t, o.WriteBatch(t.Context(), other.messages(1)), service.ErrEndOfInput)
		require.ErrorIs(t, o.Connect(t.Context()), service.ErrEndOfInput)
	})
}

// outputTo is an output that hardly waits between its tries.
func outputTo(d *Database) *output {
	res := service.MockResources()
	return &output{
		res: res, database: d, first: time.Millisecond, longest: time.Millisecond,
		executions: res.Metrics().NewCounter("executions"), retries: res.Metrics().NewCounter("retries"),
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for _, test := range []struct{ name, yaml, message string }{
		{"no path", "path: ''", "give a path"},
		{"a path the driver cannot take", "path: a?b", "which the driver cannot take"},
		{"no questions", "max_queries: 0", "reading max_queries: it must be between 1 and 10000, not 0"},
		{"no tags", "max_tag_sets: -1", "reading max_tag_sets: it must be at least 1, not -1"},
		{"fewer threads than none", "threads: -1", "reading threads: it must be between 0 and 1024, not -1"},
		{"no time", "query_timeout: 0s", "reading query_timeout: it must be more than 0"},
		{"an age of less than nothing", "retention: -1h", `reading retention: "-1h" is no time such as 10s`},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := databaseSpec().ParseYAML(test.yaml, service.GlobalEnvironment())
			require.NoError(t, err)
			_, err = settingsFromParsed(conf)
			require.ErrorContains(t, err, test.message)
		})
	}
	for _, test := range []struct{ name, yaml, message string }{
		{"tries without a pause", "retry_initial: 0s", "reading retry_initial: it must be more than 0"},
		{"a longest pause of nothing", "retry_max: 0s", "reading retry_max: it must be more than 0"},
		{"no batches", "max_in_flight: 0", "reading max_in_flight: it must be at least 1, not 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := outputSpec().ParseYAML(test.yaml, service.GlobalEnvironment())
			require.NoError(t, err)
			_, _, err = outputFromParsed(conf, service.MockResources())
			require.EqualError(t, err, test.message)
		})
	}
}
