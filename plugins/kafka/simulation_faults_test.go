//go:build synctests

package kafka

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// crash ends a node's process as kill -9 does, or as a power cut; it is started
// again after a while, perhaps on another machine with an empty disk.
func (w *simWorld) crash(n *simNode, power, lost bool, away time.Duration) {
	w.mu.Lock()
	k := n.worker
	w.mu.Unlock()
	died := k.process.die(func() {
		if power {
			n.disk.Crash()
		} else {
			n.disk.Kill()
		}
	})
	if !died {
		return
	}
	w.note("%s is killed, power cut %t, disk lost %t, away %s", n.name, power, lost, away)
	k.stop()
	if lost {
		w.mu.Lock()
		n.disk = crashdisk.New(w.random.Uint64())
		w.mu.Unlock()
	}
	time.AfterFunc(away, func() { w.startAgain(k) })
}

func (w *simWorld) freeze(n *simNode, wait time.Duration) {
	k := w.workerOf(n)
	w.note("%s is frozen for %s", n.name, wait)
	k.process.freeze()
	time.AfterFunc(wait, func() {
		w.note("%s goes on", n.name)
		k.process.thaw()
	})
}

func (w *simWorld) hold(n *simNode, wait time.Duration) {
	k := w.workerOf(n)
	w.note("the network of %s is held for %s", n.name, wait)
	k.network.hold()
	time.AfterFunc(wait, k.network.release)
}

func (w *simWorld) cut(n *simNode, wait time.Duration) {
	k := w.workerOf(n)
	w.note("the network of %s is cut for %s", n.name, wait)
	k.network.cut()
	k.network.hold()
	time.AfterFunc(wait, k.network.release)
}

func (w *simWorld) workerOf(n *simNode) *simWorker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return n.worker
}

// join starts a new node.
func (w *simWorld) join() *simNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := &simNode{name: "node" + strconv.Itoa(len(w.nodes)), disk: crashdisk.New(w.random.Uint64()), wanted: true}
	w.nodes = append(w.nodes, n)
	w.noteLocked("%s joins", n.name)
	w.launch(n)
	return n
}

// leave ends a node's process in order; it comes again later.
func (w *simWorld) leave(n *simNode, away time.Duration) {
	k := w.workerOf(n)
	w.note("%s leaves for %s", n.name, away)
	k.leave()
	time.AfterFunc(away, func() { <-k.ended; w.startAgain(k) })
}

// replace starts another machine with the name of a node that is only frozen:
// the older one must end when it goes on.
func (w *simWorld) replace(n *simNode, frozen time.Duration) {
	w.mu.Lock()
	old := n.worker
	if !n.wanted {
		w.mu.Unlock()
		return
	}
	n.wanted = false
	other := &simNode{name: n.name, disk: crashdisk.New(w.random.Uint64()), wanted: true}
	w.nodes = append(w.nodes, other)
	w.noteLocked("%s is frozen for %s, and another machine takes its name", n.name, frozen)
	w.mu.Unlock()
	old.process.freeze()
	w.mu.Lock()
	w.launch(other)
	w.mu.Unlock()
	time.AfterFunc(frozen, old.process.thaw)
}

// ail lets a disk fail for a while.
func (w *simWorld) ail(n *simNode, verbs string, err error, wait time.Duration) {
	w.note("the disk of %s fails with %v at %s for %s", n.name, err, verbs, wait)
	d := n.disk
	d.Hook(func(op crashdisk.Op) error {
		if strings.Contains(verbs, op.Verb) {
			return err
		}
		return nil
	})
	time.AfterFunc(wait, func() { d.Hook(nil) })
}

func (w *simWorld) trap(n *simNode, key kmsg.Key, count int, what string, verdict simVerdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.traps = append(w.traps, &simTrap{node: n, key: key, count: count, what: what, verdict: verdict})
}

// refuse lets the brokers answer requests with an error.
func (w *simWorld) refuse(key kmsg.Key, err *kerr.Error, count int) {
	w.note("the brokers answer %d requests %s with %s", count, key.Name(), err.Message)
	handle := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: count, TopLevel: key == kmsg.EndTxn || key == kmsg.Heartbeat || key == kmsg.JoinGroup || key == kmsg.SyncGroup || key == kmsg.InitProducerID})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, handle)
}

// simKeys are the requests at which things happen; those that end a cycle more often.
var simKeys = []kmsg.Key{
	kmsg.EndTxn, kmsg.EndTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.TxnOffsetCommit, kmsg.TxnOffsetCommit, kmsg.AddOffsetsToTxn,
	kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.Produce, kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.Fetch,
}

// simErrors are what brokers may answer to them.
var simErrors = map[kmsg.Key][]*kerr.Error{
	kmsg.EndTxn:          {kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.UnknownServerError, kerr.InvalidProducerEpoch},
	kmsg.TxnOffsetCommit: {kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RequestTimedOut, kerr.FencedInstanceID},
	kmsg.Produce:         {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas, kerr.UnknownServerError, kerr.InvalidProducerEpoch},
	kmsg.InitProducerID:  {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
	kmsg.OffsetFetch:     {kerr.UnstableOffsetCommit, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.JoinGroup:       {kerr.UnknownMemberID, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.SyncGroup:       {kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.NotCoordinator},
	kmsg.Heartbeat:       {kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedInstanceID},
	kmsg.Fetch:           {kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownServerError, kerr.KafkaStorageError},
}

// disturb does one thing at random.
func (w *simWorld) disturb(r *rand.Rand) {
	w.mu.Lock()
	n := w.nodes[r.IntN(len(w.nodes))]
	count := len(w.nodes)
	w.mu.Unlock()
	short, long := time.Duration(r.Int64N(int64(3*time.Second))), time.Duration(r.Int64N(int64(10*time.Second)))
	switch r.IntN(14) {
	case 0:
		w.crash(n, r.IntN(2) == 0, r.IntN(4) == 0, long)
	case 1:
		w.freeze(n, long)
	case 2:
		w.hold(n, long)
	case 3:
		w.cut(n, short)
	case 4:
		if count < 5 {
			w.join()
		}
	case 5:
		w.leave(n, long)
	case 6:
		if count < 5 {
			w.replace(n, long)
		}
	case 7:
		w.ail(n, [...]string{"write", "sync", "create write", "syncdir", "rename"}[r.IntN(5)], [...]error{syscall.EIO, syscall.ENOSPC}[r.IntN(2)], short)
	case 8:
		w.note("leaders and coordinators move")
		w.cluster.ShufflePartitionLeaders()
		w.cluster.RehashCoordinators()
	case 9:
		k := w.workerOf(n)
		k.mu.Lock()
		k.nacks, k.slow = r.IntN(2), short
		k.mu.Unlock()
	case 10:
		key := simKeys[r.IntN(len(simKeys))]
		if errors := simErrors[key]; len(errors) > 0 {
			w.refuse(key, errors[r.IntN(len(errors))], 1+r.IntN(3))
		}
	default:
		w.setTrap(n, r, short, long)
	}
}

// setTrap has something happen at one of the next requests of a kind.
func (w *simWorld) setTrap(n *simNode, r *rand.Rand, short, long time.Duration) {
	key, count := simKeys[r.IntN(len(simKeys))], 1+r.IntN(6)
	power, lost := r.IntN(2) == 0, r.IntN(4) == 0
	switch r.IntN(7) {
	case 0:
		w.trap(n, key, count, "killed before", simVerdict{lost: true, before: func() { w.crash(n, power, lost, short) }})
	case 1:
		w.trap(n, key, count, "killed after", simVerdict{after: func() { w.crash(n, power, lost, short) }})
	case 2:
		w.trap(n, key, count, "request lost", simVerdict{lost: true})
	case 3:
		w.trap(n, key, count, "answer lost", simVerdict{answerLost: true})
	case 4:
		w.trap(n, key, count, "delayed", simVerdict{delay: short})
	case 5:
		w.trap(n, key, count, "frozen and delayed", simVerdict{delay: long, before: nil, after: func() { w.freeze(n, short) }})
	case 6:
		w.trap(n, key, count, "frozen after", simVerdict{after: func() { w.freeze(n, long) }})
	}
}

// heal ends everything that is wrong.
func (w *simWorld) heal() {
	w.note("all is well again")
	w.mu.Lock()
	w.calm = true
	for _, handle := range w.faults {
		handle.Remove()
	}
	nodes := append([]*simNode{}, w.nodes...)
	w.mu.Unlock()
	for _, n := range nodes {
		k := w.workerOf(n)
		k.process.thaw()
		k.network.release()
		n.disk.Hook(nil)
		k.mu.Lock()
		k.nacks, k.slow = 0, 0
		k.mu.Unlock()
	}
}
