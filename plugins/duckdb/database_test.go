package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

const testLog = "log-a"

func testSettings(path string) settings {
	return settings{
		path: path, inMemory: path == "", memoryLimit: "512MB", threads: 2, checkpoint: "64MB", retention: 120 * 24 * time.Hour,
		cleanEvery: time.Hour, tagSets: 1000, queries: 4, queryTimeout: 30 * time.Second, closeTimeout: 10 * time.Second,
	}
}

func openDatabase(t testing.TB, conf settings) *Database {
	t.Helper()
	d := newDatabase(conf, service.MockResources().Logger())
	require.NoError(t, d.ready(t.Context()))
	t.Cleanup(func() { require.NoError(t, d.Close(context.Background())) })
	return d
}

func databasePath(t testing.TB) string { return filepath.Join(t.TempDir(), "folder", "a.duckdb") }

// count runs a query that gives one number.
func count(t testing.TB, d *Database, query string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, d.current.Load().QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

// record is one upload with its report, as upload_decode hands it out.
type record struct {
	position testengine.Position
	upload   *testengine.Upload
	tests    []testengine.Execution
	extra    []any // runs and verdicts, behind the blocks
}

func newRecord(offset int64, executions int) record {
	seed := testengine.SuiteSeed("acme", "unit")
	r := record{
		position: testengine.Position{LogID: testLog, Partition: 0, Offset: offset},
		upload: &testengine.Upload{
			ID: fmt.Sprintf("up_%d", offset), Org: "acme", Suite: "unit", DefaultBranch: "main", Format: "json",
			Time: 1_760_000_000_000 + offset*1000, ReceivedAt: 1_760_000_000_000 + offset*1000,
			RunKey: fmt.Sprintf("build-%d", offset), RunID: testengine.RunID(seed, fmt.Sprintf("build-%d", offset)),
			Branch: "main", CommitSHA: fmt.Sprintf("c%d", offset), Tags: []testengine.Tag{{Key: "host.type", Value: "c7g"}},
		},
	}
	for i := range executions {
		scope, name := fmt.Sprintf("Group %d", i/10), fmt.Sprintf("does thing %d", i)
		e := testengine.Execution{
			Index: i, TestID: testengine.TestID(seed, scope, name), Scope: scope, Name: name, Location: fmt.Sprintf("a_test.rb:%d", i),
			File: "a_test.rb", Result: testengine.ResultPassed, Duration: float64(i%1000) / 1000, HasDuration: true,
		}
		if i%50 == 7 {
			e.Result, e.FailureReason = testengine.ResultFailed, "expected true, got false"
		}
		r.tests = append(r.tests, e)
	}
	return r
}

func (r record) messages(blockSize int) (batch service.MessageBatch) {
	first := 0
	for from := 0; from < len(r.tests); from += blockSize {
		to := min(from+blockSize, len(r.tests))
		batch = append(batch, r.message(testengine.KindBlock, &testengine.Block{
			Position: r.position, First: first, Upload: r.upload, Executions: r.tests[from:to],
		}))
		first += to - from
	}
	for _, v := range r.extra {
		switch v.(type) {
		case *testengine.Run:
			batch = append(batch, r.message(testengine.KindRun, v))
		default:
			batch = append(batch, r.message(testengine.KindVerdict, v))
		}
	}
	return append(batch, r.message(testengine.KindUploadReport, &testengine.UploadReport{
		Position: r.position, UploadID: r.upload.ID, Org: r.upload.Org, Suite: r.upload.Suite, RunID: r.upload.RunID, RunKey: r.upload.RunKey,
		ReceivedAt: r.upload.ReceivedAt, Time: r.upload.Time, Bytes: 100, Received: len(r.tests), Accepted: len(r.tests),
	}))
}

func (r record) message(kind testengine.Kind, value any) *service.Message {
	m := service.NewMessage(nil)
	message.Set(m, kind, value)
	m.MetaSetMut(testengine.MetaLogID, r.position.LogID)
	m.MetaSetMut(testengine.MetaPartition, int64(r.position.Partition))
	m.MetaSetMut(testengine.MetaOffset, r.position.Offset)
	m.MetaSetMut(testengine.MetaLogTime, r.upload.Time)
	return m
}

func TestRowsAndWatermarkAreOneTransaction(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	ctx := t.Context()
	require.NoError(t, d.write(ctx, newRecord(0, 100).messages(40)))

	broken := errors.New("injected")
	d.beforeCommit = func() error { return broken }
	require.ErrorIs(t, d.write(ctx, newRecord(1, 5000).messages(2000)), broken)
	require.EqualValues(t, 100, count(t, d, "SELECT count(*) FROM executions_fact"), "the rows went with the transaction")
	next, ok, err := d.Watermark(ctx, testengine.LogIdentity{ID: testLog, Partitions: 1}, 0)
	require.NoError(t, err)
	require.True(t, ok)
	require.EqualValues(t, 1, next)

	d.beforeCommit = func() error { return nil }
	require.NoError(t, d.write(ctx, newRecord(1, 5000).messages(2000)))
	require.EqualValues(t, 5100, count(t, d, "SELECT count(*) FROM executions_fact"))
	require.EqualValues(t, 5000, count(t, d, "SELECT count(*) FROM tests"), "names of the failed transaction were written with the next")
	require.EqualValues(t, 5100, count(t, d, "SELECT count(*) FROM executions"))
}

func TestReplaysAreDropped(t *testing.T) {
	path := databasePath(t)
	d := openDatabase(t, testSettings(path))
	for offset := range int64(3) {
		require.NoError(t, d.write(t.Context(), newRecord(offset, 10).messages(4)))
	}
	require.NoError(t, d.write(t.Context(), newRecord(1, 10).messages(4)))
	require.EqualValues(t, 30, count(t, d, "SELECT count(*) FROM executions_fact"))
	require.NoError(t, d.Close(t.Context()))

	again := openDatabase(t, testSettings(path))
	for offset := range int64(5) {
		require.NoError(t, again.write(t.Context(), newRecord(offset, 10).messages(4)))
	}
	require.EqualValues(t, 50, count(t, again, "SELECT count(*) FROM executions_fact"))
	require.EqualValues(t, 5, count(t, again, "SELECT count(*) FROM uploads WHERE reported"))
	require.EqualValues(t, 10, count(t, again, "SELECT count(*) FROM tests"))
	require.EqualValues(t, 50, count(t, again, "SELECT count(*) FROM executions"))
}

func TestARecordInSeveralBatchesIsStoredOnce(t *testing.T) {
	path := databasePath(t)
	all := newRecord(0, 10).messages(3)
	d := openDatabase(t, testSettings(path))
	require.NoError(t, d.write(t.Context(), all[:2]))
	require.NoError(t, d.Close(t.Context()))

	again := openDatabase(t, testSettings(path))
	require.NoError(t, again.write(t.Context(), all)) // the log begins the record anew
	require.EqualValues(t, 10, count(t, again, "SELECT count(*) FROM executions"))
	require.EqualValues(t, 1, count(t, again, "SELECT count(*) FROM uploads WHERE reported AND passed + failed = 10 AND accepted = 10"))
}

func TestAnotherLogIsRefused(t *testing.T) {
	d := openDatabase(t, testSettings(""))
	require.NoError(t, d.write(t.Context(), newRecord(0, 1).messages(1)))
	other := newRecord(1, 1)
	other.position.LogID = "log-b"
	require.ErrorContains(t, d.write(t.Context(), other.messages(1)), `cannot take those of log "log-b"`)
	_, _, err := d.Watermark(t.Context(), testengine.LogIdentity{ID: "log-b", Partitions: 1}, 0)
	require.ErrorContains(t, err, "give this log a database of its own")
}

func TestMigrationsCanRunAgain(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, migrate(t.Context(), db))
	require.NoError(t, migrate(t.Context(), db))
	var missing int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM duckdb_columns()
		WHERE table_name <> 'schema_versions' AND comment IS NULL AND NOT internal AND table_name <> 'test_states'`).Scan(&missing))
	require.Zero(t, missing, "every column is commented")
}

// BenchmarkWrite stores uploads of 1,700 executions, 30 of them a batch.
func BenchmarkWrite(b *testing.B) {
	d := openDatabase(b, testSettings(databasePath(b)))
	const perUpload, uploads = 1700, 30
	before := cputime.Used(b)
	b.ReportAllocs()
	template := newRecord(0, perUpload)
	for i := range template.tests {
		template.tests[i].Tags = []testengine.Tag{{Key: "shard", Value: []string{"1", "2", "3"}[i%3]}, {Key: "team", Value: "checkout"}}
	}
	for i := range b.N {
		var batch service.MessageBatch
		for u := range uploads {
			r := newRecord(int64(i*uploads+u), 0)
			r.tests = template.tests
			batch = append(batch, r.messages(2000)...)
		}
		require.NoError(b, d.write(b.Context(), batch))
	}
	rows := float64(b.N * perUpload * uploads)
	b.ReportMetric(float64((cputime.Used(b)-before).Nanoseconds())/rows, "cpu-ns/row")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/rows, "ns/row")
	require.NoError(b, d.Close(b.Context()))
	info, err := os.Stat(d.conf.path)
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/rows, "disk-B/row")
}
