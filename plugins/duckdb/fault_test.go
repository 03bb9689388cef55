package duckdb

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("DUCKDB_TEST_CHILD"); path != "" {
		if err := writeForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const childRows = 700

// writeForEver stores records from the watermark on, until it is killed.
func writeForEver(path string) error {
	d := newDatabase(testSettings(path), service.MockResources().Logger())
	next, _, err := d.Watermark(context.Background(), testengine.LogIdentity{ID: testLog, Partitions: 1}, 0)
	if err != nil {
		return err
	}
	next = max(0, next-2) // what a log redoes after a crash
	for offset := next; ; offset++ {
		if err := d.write(context.Background(), newRecord(offset, childRows).messages(300)); err != nil {
			return err
		}
		fmt.Println(offset)
	}
}

func TestKilledProcessesLoseAndDoubleNothing(t *testing.T) {
	path := databasePath(t)
	last := int64(-1)
	for round := range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), "DUCKDB_TEST_CHILD="+path)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		// Kill it after some answers, at another moment of its work each time.
		var offset int64
		for range 5 + 3*round {
			_, err := fmt.Fscanln(out, &offset)
			require.NoError(t, err)
		}
		time.Sleep(time.Duration(round) * 700 * time.Microsecond)
		require.NoError(t, child.Process.Kill())
		for { // what it said before it died is stored
			if _, err := fmt.Fscanln(out, &offset); err != nil {
				break
			}
		}
		_ = child.Wait()
		last = max(last, offset)

		d := newDatabase(testSettings(path), service.MockResources().Logger())
		next, ok, err := d.Watermark(t.Context(), testengine.LogIdentity{ID: testLog, Partitions: 1}, 0)
		require.NoError(t, err)
		require.True(t, ok)
		require.Greater(t, next, last, "what was acknowledged is stored")
		require.Equal(t, next*childRows, count(t, d, "SELECT count(*) FROM executions_fact"))
		require.Equal(t, next*childRows, count(t, d, "SELECT count(DISTINCT (u.record_offset, f.idx)) FROM executions_fact f JOIN uploads u ON u.number = f.upload"))
		require.Equal(t, next, count(t, d, "SELECT count(*) FROM uploads"))
		require.EqualValues(t, childRows, count(t, d, "SELECT count(*) FROM tests"))
		require.NoError(t, d.Close(t.Context()))
	}
}

func TestTheDatabaseIsOpenedAnewWhenACommitIsUncertain(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	require.NoError(t, d.write(t.Context(), newRecord(0, 10).messages(4)))
	d.beforeCommit = func() error { return fmt.Errorf("%w: disk full", errCommit) }
	require.ErrorIs(t, d.write(t.Context(), newRecord(1, 20).messages(4)), errCommit)
	d.beforeCommit = func() error { return nil }
	require.NoError(t, d.write(t.Context(), newRecord(1, 20).messages(4)))
	require.EqualValues(t, 30, count(t, d, "SELECT count(*) FROM executions"))
	require.EqualValues(t, 20, count(t, d, "SELECT count(*) FROM tests"))
}

func TestASecondProcessIsRefused(t *testing.T) {
	path := databasePath(t)
	openDatabase(t, testSettings(path))
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "DUCKDB_TEST_CHILD="+path)
	out, err := child.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "lock")
}

func TestReadersAndTheWriterDoNotDisturbEachOther(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	ctx, stop := context.WithCancel(t.Context())
	answers := make(chan error, 1)
	go func() {
		asked := 0
		for ctx.Err() == nil || asked == 0 {
			table, err := d.Slice(context.Background(), query.Slice{Measures: []query.Measure{query.Executions, query.P50Duration}})
			if err == nil && len(table.Rows) > 0 && table.Rows[0][0].(int64)%3000 != 0 {
				err = fmt.Errorf("a reader saw half a transaction: %v", table.Rows)
			}
			if err != nil {
				answers <- err
				return
			}
			asked++
		}
		answers <- nil
	}()
	for offset := range int64(40) {
		require.NoError(t, d.write(t.Context(), newRecord(offset, 3000).messages(2000)))
	}
	stop()
	require.NoError(t, <-answers)
}

func TestOldRowsAreDeleted(t *testing.T) {
	conf := testSettings(databasePath(t))
	conf.retention = 3 * 24 * time.Hour
	conf.cleanEvery = time.Millisecond
	d := openDatabase(t, conf)
	day := int64(24 * 60 * 60 * 1000)
	for i := range int64(6) {
		r := newRecord(i, 100)
		r.upload.Time += i * day
		require.NoError(t, d.write(t.Context(), r.messages(50)))
	}
	require.Eventually(t, func() bool {
		return count(t, d, "SELECT count(*) FROM uploads") == 3 && count(t, d, "SELECT count(*) FROM executions_fact") == 300 &&
			count(t, d, "SELECT count(*) FROM failures") == 6
	}, 10*time.Second, 5*time.Millisecond)
	require.EqualValues(t, 300, count(t, d, "SELECT count(*) FROM executions"))
}

func TestQuestionsBeforeTheDatabaseIsOpenAreToldToComeBack(t *testing.T) {
	d := &Database{opened: make(chan struct{})}
	_, err := d.Suites(t.Context())
	require.ErrorIs(t, err, query.ErrNotReady)
}

func TestTheViewEqualsWhatWasWritten(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	r := newRecord(4, 3)
	r.tests[0].Tags = []testengine.Tag{{Key: "host.type", Value: "own"}, {Key: "quote'\"", Value: "\x00\xff"}}
	r.tests[1].Result, r.tests[1].FailureReason, r.tests[1].Detail().FailureExpanded = testengine.ResultFailed, "no", `[{"expanded":["x"]}]`
	r.tests[1].Detail().History, r.tests[1].StartedAt = `{"section":"top"}`, 1_760_000_000_123
	r.tests[2].HasDuration, r.tests[2].Result = false, testengine.ResultUnknown
	require.NoError(t, d.write(t.Context(), r.messages(2)))
	var lines []string
	result, err := d.current.Load().QueryContext(t.Context(), `SELECT concat_ws('|', org, suite, upload_id, run_id, branch, commit_sha, test_id, scope, name, location,
		result, duration, epoch_ms(started_at), tags, failure_reason, failure_expanded, history, suite_error, execution) FROM executions ORDER BY execution`)
	require.NoError(t, err)
	defer func() { require.NoError(t, result.Close()) }()
	for result.Next() {
		var line string
		require.NoError(t, result.Scan(&line))
		lines = append(lines, line)
	}
	id := func(i int) string { return testengine.FormatID(r.tests[i].TestID) }
	head := "acme|unit|up_4|" + r.upload.RunID + "|main|c4|"
	require.Equal(t, []string{
		head + id(0) + "|Group 0|does thing 0|a_test.rb:0|passed|0.0|{host.type=own, 'quote\\'\"'=\x00\uFFFD}|false|log-a/0/4/0",
		head + id(1) + `|Group 0|does thing 1|a_test.rb:1|failed|0.001|1760000000123|{host.type=c7g}|no|[{"expanded":["x"]}]|{"section":"top"}|false|log-a/0/4/1`,
		head + id(2) + "|Group 0|does thing 2|a_test.rb:2|unknown|{host.type=c7g}|false|log-a/0/4/2",
	}, lines)
	for i, want := range []int64{r.upload.Time, 1_760_000_000_123} {
		history, err := d.History(t.Context(), query.HistoryQuery{SuiteKey: query.SuiteKey{Org: "acme", Suite: "unit"}, TestID: r.tests[i].TestID})
		require.NoError(t, err)
		require.Equal(t, want, history[0].At, "the start by a real clock, else the time of receipt")
	}
}

func TestReportsWithoutExecutions(t *testing.T) {
	d := openDatabase(t, testSettings(""))
	suite := query.SuiteKey{Org: "acme", Suite: "unit"}
	first := newRecord(0, 5)
	require.NoError(t, d.write(t.Context(), first.messages(9)))
	for offset := int64(1); offset < 3; offset++ {
		again := newRecord(offset, 0)
		report := &testengine.UploadReport{
			Position: again.position, UploadID: first.upload.ID, Org: "acme", Suite: "unit", Time: again.upload.Time, Duplicate: true,
		}
		require.NoError(t, d.write(t.Context(), service.MessageBatch{again.message(testengine.KindUploadReport, report)}))
	}
	up, err := d.Upload(t.Context(), suite, first.upload.ID)
	require.NoError(t, err)
	require.Equal(t, 2, up.Duplicates)
	require.Equal(t, 5, up.Accepted)
	require.EqualValues(t, 5, count(t, d, "SELECT count(*) FROM executions_fact"))
	require.EqualValues(t, 1, count(t, d, "SELECT count(*) FROM uploads WHERE reported AND NOT duplicate"))
}

func TestAMovedTestIsFoundAtItsNewPlace(t *testing.T) {
	path := databasePath(t)
	for i := range int64(2) {
		d := newDatabase(testSettings(path), service.MockResources().Logger())
		r := newRecord(i, 3)
		r.tests[1].Location = strings.Repeat("x", int(i)+1)
		require.NoError(t, d.write(t.Context(), r.messages(9)))
		require.NoError(t, d.Close(t.Context()))
	}
	d := openDatabase(t, testSettings(path))
	require.EqualValues(t, 1, count(t, d, "SELECT count(*) FROM tests WHERE location = 'xx'"), "written at the end at the latest")
	require.EqualValues(t, 3, count(t, d, "SELECT count(*) FROM tests"))
}
