//go:build synctests

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	simPartitions = 3
	simBrokers    = 2
	// simPatience is how long the pipeline may take to come to the log's end once all is well again.
	simPatience = 90 * time.Second
)

// simWorld is one run: brokers, nodes, what is done to them, and what came of it.
type simWorld struct {
	t         *testing.T
	kind      simKind
	created   bool // records have the times of their writers
	began     time.Time
	network   kfake.VirtualNetwork
	cluster   *kfake.Cluster
	addresses []string
	client    *kgo.Client // of the world itself: nothing happens to it
	shared    *crashdisk.Disk
	nodes     []*simNode
	lives     []*simWorker
	verbose   bool

	mu       sync.Mutex
	random   *rand.Rand
	calm     bool // nothing more is done to anybody
	traps    []*simTrap
	faults   []*kfake.FaultHandle
	words    int
	problems []string
	history  []string
	highest  [simPartitions]int64
	objects  simObjects
}

func newSimWorld(t *testing.T, seed uint64, kind simKind) *simWorld {
	w := &simWorld{t: t, kind: kind, began: time.Now(), random: rand.New(rand.NewPCG(seed, 0x51b)), shared: crashdisk.New(seed ^ 77)}
	var err error
	w.cluster, err = kfake.NewCluster(kfake.NumBrokers(simBrokers), kfake.Ports(9092, 9093), kfake.ListenFn(w.network.Listen),
		kfake.GroupMinSessionTimeout(time.Second), kfake.SeedTopics(simPartitions, "results", "runs", "dead_letters"))
	require.NoError(t, err)
	if w.created = kind.clocks && seed%4 == 3; w.created {
		appendtime.Created(w.cluster, "uploads", time.Hour)
		require.NoError(t, w.cluster.CreateTopic("uploads", simPartitions, nil))
	} else {
		appendtime.Stamp(w.cluster)
		require.NoError(t, appendtime.Topics(w.cluster, simPartitions, "uploads"))
	}
	w.addresses = w.cluster.ListenAddrs()
	w.client, err = kgo.NewClient(w.reliable(kgo.RecordPartitioner(kafkalog.Placed()), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	require.NoError(t, err)
	var begin kadm.Offsets
	for partition := range int32(simPartitions) {
		begin.AddOffset("uploads", partition, 0, -1)
	}
	_, err = kadm.NewClient(w.client).CommitOffsets(t.Context(), simGroup, begin)
	require.NoError(t, err)
	return w
}

func (w *simWorld) reliable(options ...kgo.Opt) []kgo.Opt {
	return append(options, kgo.Dialer(w.network.DialContext), kgo.SeedBrokers(w.addresses...), kgo.DisableClientMetrics(), appendtime.Reader())
}

// note is a line of the run's history, which a failure can show.
func (w *simWorld) note(template string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(template, args...)
}

func (w *simWorld) noteLocked(template string, args ...any) {
	if w.verbose {
		w.history = append(w.history, fmt.Sprintf("%7.3f ", time.Since(w.began).Seconds())+fmt.Sprintf(template, args...))
	}
}

// wrong is something that must never be.
func (w *simWorld) wrong(template string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(template, args...))
	w.noteLocked("WRONG: "+template, args...)
}

// word is a word that no other process has.
func (w *simWorld) word() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words++
	return "process" + strconv.Itoa(w.words)
}

type simLines struct {
	world *simWorld
	name  string
}

func (l simLines) Write(line []byte) (int, error) {
	l.world.note("%s: %s", l.name, strings.TrimSpace(string(line)))
	return len(line), nil
}

func (w *simWorld) logger(name string) *service.Logger {
	return service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(simLines{w, name}, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
}

// newDoor is a client whose uploads are in transactions, of which some are aborted.
func (w *simWorld) newDoor() (*kgo.Client, error) {
	return kgo.NewClient(w.reliable(kgo.RecordPartitioner(kafkalog.Placed()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.TransactionalID("door"), kgo.TransactionTimeout(2*time.Second))...)
}

// transact appends one upload in a transaction of its own. What is aborted is in
// the log, and no reader may see it.
func (w *simWorld) transact(door *kgo.Client, record *kgo.Record, commit bool) {
	ctx := context.Background()
	err := door.BeginTransaction()
	if err == nil {
		err = errors.Join(door.ProduceSync(ctx, record).FirstErr(), door.EndTransaction(ctx, kgo.TransactionEndTry(commit)))
	}
	if err != nil {
		w.note("the world cannot feed in a transaction: %v", err)
	}
}

// feed appends uploads; some come twice, some in transactions.
func (w *simWorld) feed(n int, span time.Duration, random *rand.Rand) {
	door, err := w.newDoor()
	if err != nil {
		w.wrong("the world cannot feed: %v", err)
		return
	}
	defer door.Close()
	var bodies []string
	for i := range n {
		time.Sleep(time.Duration(random.Int64N(int64(2*span) / int64(n))))
		body := fmt.Sprintf("suite%d/%d", random.IntN(simSuites), i)
		switch {
		case i > 5 && random.IntN(12) == 0:
			body = bodies[len(bodies)-1-random.IntN(5)]
		case random.IntN(n) == 0:
			body = simPoison + body
		}
		bodies = append(bodies, body)
		suite, _, _ := strings.Cut(body, "/")
		record := &kgo.Record{Topic: "uploads", Partition: -1, Key: []byte(suite), Value: []byte(body), Timestamp: w.clock(random), Headers: []kgo.RecordHeader{
			{Key: testengine.MetaKind, Value: []byte(testengine.KindUpload)},
		}}
		if way := random.IntN(12); way < 2 {
			w.transact(door, record, way == 0)
			continue
		}
		w.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			if err != nil {
				w.note("the world cannot feed: %v", err) // It is in the log, or it is not: the log decides.
			}
		})
	}
	if err := w.client.Flush(context.Background()); err != nil {
		w.wrong("the world cannot feed: %v", err)
	}
}

// committed looks at the group's offsets; they never go back.
func (w *simWorld) committed() (at [simPartitions]int64) {
	found, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), simGroup)
	if err != nil {
		w.note("reading the committed offsets: %v", err)
		return w.highest
	}
	found.Each(func(o kadm.OffsetResponse) {
		if o.Err != nil {
			return
		}
		at[o.Partition] = o.At
		if o.At < w.highest[o.Partition] {
			w.wrong("the committed offset of partition %d went back from %d to %d", o.Partition, w.highest[o.Partition], o.At)
		}
		w.highest[o.Partition] = o.At
	})
	return at
}

// settled waits until everything of the log is committed and no timer is left.
func (w *simWorld) settled() bool {
	quiet := 0
	for deadline := time.Now().Add(simPatience); time.Now().Before(deadline); {
		time.Sleep(500 * time.Millisecond)
		ends, err := kadm.NewClient(w.client).ListEndOffsets(context.Background(), "uploads")
		if err != nil {
			continue
		}
		behind := 0
		at := w.committed()
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset != at[o.Partition] {
				behind++
			}
		})
		if quiet++; behind > 0 {
			quiet = 0
		}
		// The last runs are closed by ticks, which come some time after the last upload.
		if quiet > 1 && (!w.kind.timers || !w.due()) && !w.open() {
			return true
		}
	}
	return false
}

// open says whether a dead process left a transaction that brokers have not given
// up yet: until then readers of committed records see nothing behind it.
func (w *simWorld) open() bool {
	topics := []string{"results", "runs", "dead_letters"}
	admin := kadm.NewClient(w.client)
	stable, stableErr := admin.ListCommittedOffsets(context.Background(), topics...)
	ends, endErr := admin.ListEndOffsets(context.Background(), topics...)
	if stableErr != nil || endErr != nil {
		return true
	}
	open := false
	ends.Each(func(end kadm.ListedOffset) {
		at, known := stable.Lookup(end.Topic, end.Partition)
		open = open || !known || at.Offset != end.Offset
	})
	return open
}

// due says whether the log still needs a tick.
func (w *simWorld) due() bool {
	for _, records := range w.read("uploads") {
		fold := newSimFold()
		for _, r := range records {
			fold.take(r, false)
		}
		if _, _, ok := fold.counts.Due(math.MaxInt64); ok {
			return true
		}
	}
	return false
}

// over is called by a process that ended by itself: it is started again, unless
// it was told to go.
func (w *simWorld) over(k *simWorker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k.node.wanted && k.node.worker == k {
		time.AfterFunc(300*time.Millisecond, func() { w.startAgain(k) })
	}
}

func (w *simWorld) startAgain(after *simWorker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := after.node; n.wanted && n.worker == after {
		w.noteLocked("%s starts again", n.name)
		w.launch(n)
	}
}

// simTrap waits for a node's request of a kind, the count-th from now on.
type simTrap struct {
	node    *simNode
	key     kmsg.Key
	count   int
	verdict simVerdict
	what    string
}

// judge implements the network's look at a request.
func (k *simWorker) judge(key kmsg.Key) simVerdict {
	w := k.world
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict := simVerdict{delay: time.Duration(w.random.IntN(1500)) * time.Microsecond}
	for _, trap := range w.traps {
		if w.calm || trap.node != k.node || trap.key != key || k.node.worker != k {
			continue
		}
		if trap.count--; trap.count == 0 {
			w.noteLocked("%s: %s at a request %s", k.node.name, trap.what, key.Name())
			verdict = trap.verdict
		}
	}
	return verdict
}
