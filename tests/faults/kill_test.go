// Package faults pulls the plug of the real binary and counts what is left:
// every upload answered 202 is in the store exactly once, and the verdicts are
// those of a fresh replay of the same log.
package faults

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// ledger remembers what the collectors were told.
type ledger struct {
	mu sync.Mutex
	// sent and accepted map the ids of uploads that were posted, and of those that were
	// answered 202, to their number of executions. One without an answer may be safe or not.
	sent, accepted map[string]int
	// unanswered are bodies whose connection broke: sent again in the next life, as Ruby and bktec do.
	unanswered []world.Upload
}

func (l *ledger) send(upload world.Upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[message.UploadID("local", "quickstart", upload.Body)] = upload.Executions
}

func (l *ledger) note(upload world.Upload, status int, answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var told struct {
		UploadID string `json:"upload_id"`
	}
	if status == 202 && json.Unmarshal([]byte(answer), &told) == nil {
		l.accepted[told.UploadID] = upload.Executions
		return
	}
	l.unanswered = append(l.unanswered, upload)
}

func (l *ledger) again() []world.Upload {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.unanswered
	l.unanswered = nil
	return again
}

// feed posts uploads with a few connections until the process is gone.
func feed(ctx context.Context, process *harness.Process, uploads <-chan world.Upload, told *ledger) {
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-process.Gone():
					return
				case upload := <-uploads:
					told.send(upload)
					status, answer := process.Upload(ctx, upload.Body)
					told.note(upload, status, answer)
				}
			}
		})
	}
	senders.Wait()
}

// runsCloseFast lets runs close between two kills, so that there is something to judge.
const runsCloseFast = "pipeline.processors.1.flaky_detect.run_idle=1s"

func kills() int {
	if n, err := strconv.Atoi(os.Getenv("TESTENGINE_KILLS")); err == nil {
		return n
	}
	return 15
}

func TestKillAtRandomMomentsLosesNothingAndDoublesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	told := &ledger{sent: map[string]int{}, accepted: map[string]int{}}
	uploads := make(chan world.Upload)
	go write(ctx, t, seed, told, uploads)

	data := t.TempDir()
	options := harness.Options{Data: data, Set: []string{"buffer.upload_log.retain=24h", runsCloseFast}}
	for range kills() {
		process := harness.Start(t, options)
		time.AfterFunc(time.Duration(300+dice.IntN(1500))*time.Millisecond, process.Kill)
		feed(ctx, process, uploads, told)
	}

	process := harness.Start(t, options)
	process.WaitReady(30 * time.Second)
	for _, upload := range told.again() {
		status, answer := process.Upload(ctx, upload.Body)
		require.Equal(t, 202, status, answer)
		told.note(upload, status, answer)
	}
	require.NotEmpty(t, told.accepted)
	process.Eventually(2*time.Minute, "the log is drained", func() bool { return drained(t, process) })
	require.Zero(t, process.Stop(time.Minute), process.Output())

	stored := readStore(t, data)
	for id, executions := range told.accepted {
		require.Equal(t, executions, stored.executions[id], "executions of upload %s, which was answered 202", id)
	}
	for id, executions := range stored.executions {
		require.Equal(t, told.sent[id], executions, "executions of upload %s in the store, and as sent", id)
	}
	require.Equal(t, replay(t, data), stored.verdicts, "verdicts of the store, and of a fresh replay of the log")
	t.Logf("%d kills, %d uploads, %d verdicts", kills(), len(told.accepted), len(stored.verdicts))
}

// write hands out the world's uploads, those without an answer first.
func write(ctx context.Context, t *testing.T, seed uint64, told *ledger, uploads chan<- world.Upload) {
	w, err := world.New(world.Config{
		Seed: seed, Organization: "local", Suites: 1, TestsPerSuite: 400, Days: 30, CommitsPerDay: 20, Branches: 4, Jobs: 2,
		Hosts: 6, Retries: 1, FlakyShare: 0.05, RegressionShare: 0.05, StormsPerDay: 0.5, DuplicateShare: 0.02,
	})
	if err != nil {
		t.Error(err)
		return
	}
	for {
		next := told.again()
		if len(next) == 0 {
			next = []world.Upload{w.Next()}
		}
		for _, upload := range next {
			select {
			case uploads <- upload:
			case <-ctx.Done():
				return
			}
		}
	}
}

// drained asks the store until nothing was added for a moment.
func drained(t *testing.T, process *harness.Process) bool {
	t.Helper()
	count := func() string {
		_, body := process.Get("/v2/analytics/organizations/local/suites/quickstart/slices?measure=executions&period=90days")
		return body
	}
	before := count()
	time.Sleep(1500 * time.Millisecond)
	return before == count()
}

type store struct {
	executions map[string]int
	verdicts   map[string]string
}

func readStore(t *testing.T, data string) store {
	t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(data, "testengine.duckdb")+"?access_mode=read_only")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	found := store{executions: map[string]int{}, verdicts: map[string]string{}}
	rows, err := db.QueryContext(t.Context(), "SELECT upload_id, count(*) FROM executions GROUP BY upload_id")
	require.NoError(t, err)
	for rows.Next() {
		var id string
		var n int
		require.NoError(t, rows.Scan(&id, &n))
		found.executions[id] = n
	}
	require.NoError(t, rows.Err())
	rows, err = db.QueryContext(t.Context(), "SELECT id, body FROM verdicts")
	require.NoError(t, err)
	for rows.Next() {
		var id, body string
		require.NoError(t, rows.Scan(&id, &body))
		found.verdicts[id] = body
	}
	require.NoError(t, rows.Err())
	return found
}

// replay reads the log from its first record with no state from before.
func replay(t *testing.T, data string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "verdicts.ndjson")
	process := harness.Start(t, harness.Options{
		Pipeline: "tests/faults/replay_log.yaml",
		Env:      []string{"REPLAY_LOG=" + filepath.Join(data, "log"), "REPLAY_VERDICTS=" + path},
	})
	require.Zero(t, process.Wait(2*time.Minute), process.Output())
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	verdicts := map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var named struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &named))
		verdicts[named.ID] = lines.Text()
	}
	require.NoError(t, lines.Err())
	return verdicts
}
