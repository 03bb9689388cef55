package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is a real cluster of one broker or three.
type Kafka struct {
	// Addresses are the brokers, host:port with commas between, as TESTENGINE_BROKERS takes them.
	Addresses string
	dir       string
	dead      map[int]bool
	t         testing.TB
}

// StartKafka starts brokers on new data and ends them with the test. A machine
// on which Kafka cannot be installed fails the test.
func StartKafka(t testing.TB, brokers int) *Kafka {
	t.Helper()
	k := &Kafka{dir: t.TempDir(), dead: map[int]bool{}, t: t}
	t.Cleanup(func() {
		k.report()
		k.script("stop", k.dir)
	})
	k.Addresses = k.script("start", k.dir, strconv.Itoa(brokers))
	k.answers()
	return k
}

// answers waits until every living broker is a member of the cluster: one that
// accepts connections may be busy with its logs, or not be known to the others.
func (k *Kafka) answers() {
	k.t.Helper()
	admin, deadline := kadm.NewClient(k.Client()), time.Now().Add(2*time.Minute)
	for {
		ctx, cancel := context.WithTimeout(k.t.Context(), 10*time.Second)
		found, err := admin.BrokerMetadata(ctx)
		cancel()
		if err == nil && len(found.Brokers) >= len(k.living()) {
			return
		}
		require.True(k.t, time.Now().Before(deadline), "%d of %d brokers answer: %v", len(found.Brokers), len(k.living()), err)
		time.Sleep(100 * time.Millisecond)
	}
}

// report shows what the brokers said last, when a test has failed.
func (k *Kafka) report() {
	if !k.t.Failed() {
		return
	}
	const most = 4 << 10
	for n := range strings.Count(k.Addresses, ",") + 1 {
		content, err := os.ReadFile(filepath.Join(k.dir, "broker"+strconv.Itoa(n+1)+".log"))
		k.t.Logf("broker %d, killed %t: %s %v", n+1, k.dead[n+1], content[max(0, len(content)-most):], err)
	}
}

// script runs a verb of tests/services/kafka.sh. A broker keeps no pipe of
// ours open: its output goes to a file.
func (k *Kafka) script(args ...string) string {
	k.t.Helper()
	command := exec.Command(filepath.Join(Root(), "tests", "services", "kafka.sh"), args...)
	command.Env = append(os.Environ(), "KAFKA_OWNER="+strconv.Itoa(os.Getpid()))
	out, err := command.CombinedOutput()
	require.NoError(k.t, err, "kafka.sh %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// Kill is kill -9 of broker n (1, 2, 3).
func (k *Kafka) Kill(n int) {
	k.script("kill9", k.dir, strconv.Itoa(n))
	k.dead[n] = true
}

// Restart starts broker n again, on its port and its data.
func (k *Kafka) Restart(n int) {
	k.script("restart", k.dir, strconv.Itoa(n))
	delete(k.dead, n)
	k.answers()
}

// living are the addresses of brokers that were not killed.
func (k *Kafka) living() (addresses []string) {
	for i, address := range strings.Split(k.Addresses, ",") {
		if !k.dead[i+1] {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// Pid is the process id of broker n.
func (k *Kafka) Pid(n int) int {
	k.t.Helper()
	pid, err := strconv.Atoi(k.script("pid", k.dir, strconv.Itoa(n)))
	require.NoError(k.t, err)
	return pid
}

// Client returns a client that begins at the living brokers and is closed with the test.
func (k *Kafka) Client(options ...kgo.Opt) *kgo.Client {
	k.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.living()...)}, options...)...)
	require.NoError(k.t, err)
	k.t.Cleanup(client.Close)
	return client
}

// CreateTopics runs `topics create` of the binary with as many replicas as there are brokers.
func (k *Kafka) CreateTopics(partitions int, args ...string) string {
	k.t.Helper()
	brokers := strings.Count(k.Addresses, ",") + 1
	args = append([]string{
		"topics", "create", "--brokers", k.Addresses, "--partitions", strconv.Itoa(partitions),
		"--replication", strconv.Itoa(brokers), "--min-in-sync", strconv.Itoa((brokers + 1) / 2),
	}, args...)
	command := exec.CommandContext(k.t.Context(), Binary(k.t), args...)
	command.Dir = Root()
	out, err := command.CombinedOutput()
	require.NoError(k.t, err, "%s", out)
	return string(out)
}

// Read hands every committed record of a topic, up to the end as it is now, to
// the function: each partition in its order. The last record of a partition may
// be a marker of a transaction, so an end is one that readers of read_committed see.
func (k *Kafka) Read(topic string, each func(*kgo.Record)) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 5*time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(k.Client()).ListCommittedOffsets(ctx, topic)
	require.NoError(k.t, err)
	require.NoError(k.t, ends.Error())
	assigned, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		assigned[end.Partition] = kgo.NewOffset().AtStart()
		if end.Offset > 0 {
			left[end.Partition] = end.Offset
		}
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(k.living()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: assigned}), kgo.KeepControlRecords())
	require.NoError(k.t, err)
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(k.t, fetches.Err(), "reading topic %s", topic)
		fetches.EachRecord(func(record *kgo.Record) {
			end, reading := left[record.Partition]
			if !reading || record.Offset >= end {
				return
			}
			if !record.Attrs.IsControl() {
				each(record)
			}
			if record.Offset+1 == end {
				delete(left, record.Partition)
			}
		})
	}
}

// Pause is SIGSTOP: the process stands still and does not know it.
func (p *Process) Pause() { _ = p.command.Process.Signal(syscall.SIGSTOP) }

// Resume is SIGCONT.
func (p *Process) Resume() { _ = p.command.Process.Signal(syscall.SIGCONT) }

// Stacks ends the process with SIGQUIT and returns what it printed, with what
// each of its goroutines was doing: for tests that fail.
func (p *Process) Stacks() string {
	_ = p.command.Process.Signal(syscall.SIGQUIT)
	<-p.done
	return p.Output()
}
