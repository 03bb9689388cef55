package cluster

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// points of the protocol at which a worker is killed, or its connection cut.
var points = []struct {
	name     string
	request  int16
	answered bool
}{
	{"while records are on their way to it", harness.RequestFetch, true},
	{"before its results are written", harness.RequestProduce, false},
	{"when its results are written and it does not know", harness.RequestProduce, true},
	{"before its offsets join the transaction", harness.RequestTxnOffsetCommit, false},
	{"when its offsets have joined the transaction", harness.RequestTxnOffsetCommit, true},
	{"before the transaction ends", harness.RequestEndTxn, false},
	{"when the transaction has ended and it does not know", harness.RequestEndTxn, true},
	{"before it has its producer's id", harness.RequestInitProducerID, true},
	{"while it joins the group", harness.RequestJoinGroup, true},
}

// TestWorkersKilledAnywhereLoseNothingAndDoubleNothing kills -9 detect_flaky and
// the process behind it. TESTENGINE_CLUSTER_KILLS is how often (60),
// TESTENGINE_CLUSTER_EXECUTIONS how many executions there are at least (3 M).
func TestWorkersKilledAnywhereLoseNothingAndDoubleNothing(t *testing.T) {
	kills := setting("TESTENGINE_CLUSTER_KILLS", 60)
	executions := int64(setting("TESTENGINE_CLUSTER_EXECUTIONS", 3_000_000))
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 1))
	f := newFleet(t, 1, 2)
	from := startFeed(t, f.kafka, float64(setting("TESTENGINE_CLUSTER_RATE", 12_000)))
	f.store()
	begin := time.Now()
	for i := range kills {
		// Spread over all executions, so that workers that have got going are killed too.
		from.until(executions * int64(i) / int64(kills))
		n, point := dice.IntN(len(f.workers)), dice.IntN(2*len(points))
		switch {
		case i%10 == 9:
			f.behind.Kill()
			f.store()
			continue
		case point < len(points):
			f.killAt(n, point)
		default:
			time.Sleep(time.Duration(200+dice.IntN(2500)) * time.Millisecond)
			f.workers[n].Kill()
		}
		f.start(n)
	}
	t.Logf("seed %d: %d kills in %s", seed, kills, time.Since(begin).Round(time.Second))
	from.until(executions)
	f.moves(takeover) // The last one killed works again.
	should := f.finish(from)
	f.drained("store_executions_locally", "executions", "verdicts", "runs", "upload_reports")
	require.Zero(t, f.behind.Stop(ending), f.behind.Output())
	storeHolds(t, filepath.Join(f.data, "store", "store_executions_locally", "testengine.duckdb"), should)

	sum := 0
	for _, n := range should.executions {
		sum += n
	}
	require.EqualValues(t, from.executions.Load(), sum, "executions that went in, and in the topics")
	t.Logf("%d executions, %d uploads, %d verdicts in %s", sum, len(should.executions), len(should.verdicts), time.Since(begin).Round(time.Second))
}

// killAt kills a worker at a point; one that does not pass it in time is killed where it is.
func (f *fleet) killAt(n, point int) {
	f.t.Helper()
	strike := &harness.Strike{Client: clientID(n), Request: points[point].request, Answered: points[point].answered}
	if strike.Request == harness.RequestInitProducerID || strike.Request == harness.RequestJoinGroup {
		f.workers[n].Kill() // These it passes when it starts.
		f.start(n)
	}
	strike.Do = f.workers[n].Kill
	f.proxy.Arm(f.t, strike)
	select {
	case <-strike.Struck():
	case <-time.After(10 * time.Second):
		f.t.Logf("worker %d did not pass the point %q", n, points[point].name)
		f.proxy.Disarm()
	}
	f.workers[n].Kill()
}

// storeHolds compares a DuckDB file with the oracle.
func storeHolds(t *testing.T, path string, should *oracle) {
	t.Helper()
	db, err := sql.Open("duckdb", path+"?access_mode=read_only")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	executions, verdicts := map[string]int{}, map[string]bool{}
	rows, err := db.QueryContext(t.Context(), "SELECT upload_id, count(*), count(DISTINCT execution) FROM executions GROUP BY upload_id")
	require.NoError(t, err)
	for rows.Next() {
		var id string
		var count, distinct int
		require.NoError(t, rows.Scan(&id, &count, &distinct))
		require.Equal(t, distinct, count, "executions of upload %s are stored once", id)
		executions[id] = count
	}
	require.NoError(t, rows.Err())
	require.Equal(t, should.executions, executions)
	var foreign int
	row := db.QueryRowContext(t.Context(), "SELECT count(*) FROM executions WHERE NOT starts_with(execution, ?)", should.logID+"/")
	require.NoError(t, row.Scan(&foreign))
	require.Zero(t, foreign, "executions that are not named after their place in the topic uploads")
	rows, err = db.QueryContext(t.Context(), "SELECT id FROM verdicts")
	require.NoError(t, err)
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		require.False(t, verdicts[id], "verdict %s is stored once", id)
		verdicts[id] = true
	}
	require.NoError(t, rows.Err())
	require.Equal(t, should.verdicts, verdicts)
}
