package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// patience is how much longer than usual things may take: TESTENGINE_CLUSTER_PATIENCE,
// for a machine that has other work.
var patience = time.Duration(setting("TESTENGINE_CLUSTER_PATIENCE", 1))

var (
	// takeover is what another member may need: the longer of session (6 s) and
	// transaction timeout (10 s), the brokers' sweep (1 s), and a busy machine.
	takeover = patience * 30 * time.Second
	// ending is what a process that is asked to end, or a group that has nothing
	// more to read, may need.
	ending = patience * time.Minute
)

func TestAWorkerThatStoodStillPastItsTimeoutsDoesNoHarm(t *testing.T) {
	f := newFleet(t, 1, 2)
	from := startFeed(t, f.kafka, 5000)
	f.moves(takeover)
	for round := range setting("TESTENGINE_CLUSTER_STOPS", 3) {
		n := round % 2
		f.workers[n].Pause()
		f.moves(takeover) // The other has all partitions, and what the stopped one had begun is gone.
		f.workers[n].Resume()
		time.Sleep(2 * time.Second)
		if said := f.ended(n); said != "" {
			require.Contains(t, said, "another process has taken the place", "a zombie says why it ends")
			f.start(n)
		}
	}
	f.moves(takeover)
	should := f.finish(from)
	t.Logf("%d records, %d verdicts", should.records, len(should.verdicts))
}

func TestMembersComeAndGo(t *testing.T) {
	f := newFleet(t, 1, 3)
	from := startFeed(t, f.kafka, 5000)
	dice := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for range setting("TESTENGINE_CLUSTER_JOINS", 8) {
		f.moves(takeover)
		n := dice.IntN(len(f.workers))
		require.Zero(t, f.workers[n].Stop(ending), "a worker that is asked to end does: %s", f.workers[n].Output())
		time.Sleep(time.Duration(dice.IntN(1500)) * time.Millisecond)
		f.start(n)
	}
	f.moves(takeover)
	should := f.finish(from)
	t.Logf("%d records, %d verdicts", should.records, len(should.verdicts))
}

func TestConnectionsAreCut(t *testing.T) {
	f := newFleet(t, 1, 2)
	from := startFeed(t, f.kafka, 5000)
	f.moves(takeover)
	for i := range setting("TESTENGINE_CLUSTER_CUTS", 20) {
		point := points[i%len(points)]
		if point.request == harness.RequestInitProducerID || point.request == harness.RequestJoinGroup {
			f.proxy.Cut()
			continue
		}
		strike := &harness.Strike{Client: clientID(i % 2), Request: point.request, Answered: point.answered}
		f.proxy.Arm(t, strike)
		select {
		case <-strike.Struck():
		case <-time.After(5 * time.Second):
			f.proxy.Disarm()
		}
	}
	f.moves(takeover)
	should := f.finish(from)
	t.Logf("%d records, %d verdicts", should.records, len(should.verdicts))
}

func TestBrokersAreKilled(t *testing.T) {
	f := newFleet(t, 3, 2)
	from := startFeed(t, f.kafka, 3000)
	f.moves(takeover)
	for range setting("TESTENGINE_CLUSTER_BROKER_KILLS", 3) {
		coordinators := kadm.NewClient(f.kafka.Client()).FindGroupCoordinators(t.Context(), "detect_flaky")
		require.NoError(t, coordinators.Error())
		broker := int(coordinators["detect_flaky"].NodeID) // A broker's id is its number.
		f.kafka.Kill(broker)
		f.moves(2 * takeover)
		f.kafka.Restart(broker)
		f.moves(2 * takeover)
	}
	should := f.finish(from)
	t.Logf("%d records, %d verdicts", should.records, len(should.verdicts))
}
