package depot_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// uploaded is a depot with the snapshots of batches of ten, and the disk that made them.
func uploaded(t *testing.T, batches int) (shared *crashdisk.Disk, first *node, c *clock) {
	t.Helper()
	shared, c = crashdisk.New(1), &clock{now: time.Unix(1_800_000_000, 0)}
	first = openNode(t, "first", crashdisk.New(2), shared, c)
	require.Zero(t, first.restore(t, 0, 0))
	for n := range int64(batches) {
		require.NoError(t, first.work(n*10+10))
		require.NoError(t, first.Snapshot(t.Context()))
		require.NoError(t, first.Upload(t.Context()))
	}
	return shared, first, c
}

func TestAnotherNodeRestoresFromTheDepot(t *testing.T) {
	for _, test := range []struct {
		name                string
		begin, cursor, want int64
	}{
		{"the newest snapshot below the cursor", 45, 49, 45},
		{"all of it", 0, 50, 50},
		{"a cursor beyond the snapshots: the rest is replayed", 40, 77, 50},
		{"an older cursor: cut at the last batch below it", 0, 25, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared, _, c := uploaded(t, 5)
			second := openNode(t, "second", crashdisk.New(3), shared, c)
			if test.begin == 45 {
				_, err := second.Restore(t.Context(), testLog, 0, test.begin, test.cursor)
				require.ErrorContains(t, err, "state reset", "no snapshot lies between what the log has and the cursor")
				return
			}
			require.Equal(t, test.want, second.restore(t, test.begin, test.cursor))
			require.NoError(t, second.work(90))
			require.NoError(t, second.Snapshot(t.Context()))
			require.NoError(t, second.Close(t.Context()))
			again := openNode(t, "second", second.disk, shared, c)
			require.EqualValues(t, 90, again.restore(t, 0, 90), "its own files go on from there")
		})
	}
}

func TestTheLaterOfOwnFilesAndDepotWins(t *testing.T) {
	shared, first, c := uploaded(t, 2)
	require.NoError(t, first.Close(t.Context()))
	second := openNode(t, "second", crashdisk.New(3), shared, c)
	require.EqualValues(t, 20, second.restore(t, 0, 20))
	require.NoError(t, second.work(60))
	require.NoError(t, second.Snapshot(t.Context()))
	require.NoError(t, second.Upload(t.Context()))
	require.NoError(t, second.work(80))
	require.NoError(t, second.Close(t.Context()))

	first = openNode(t, "first", first.disk, shared, c)
	require.EqualValues(t, 60, first.restore(t, 20, 80), "the partition comes back: the depot is later than the own files")
	second = openNode(t, "second", second.disk, shared, c)
	require.EqualValues(t, 80, second.restore(t, 20, 80), "the own files are later than the depot")
}

func TestAZombieStopsUploading(t *testing.T) {
	shared, zombie, c := uploaded(t, 2)
	owner := openNode(t, "owner", crashdisk.New(3), shared, c)
	owner.restore(t, 0, 20)
	require.NoError(t, owner.work(40))
	require.NoError(t, owner.Snapshot(t.Context()))
	require.NoError(t, owner.Upload(t.Context()))

	require.NoError(t, zombie.work(30))
	require.NoError(t, zombie.Snapshot(t.Context()))
	require.ErrorContains(t, zombie.Upload(t.Context()), "another process")
	require.NoError(t, zombie.Upload(t.Context()), "it has stopped")

	require.NoError(t, owner.work(50))
	require.NoError(t, owner.Snapshot(t.Context()))
	require.NoError(t, owner.Upload(t.Context()), "the owner goes on")
	require.EqualValues(t, 50, openNode(t, "third", crashdisk.New(4), shared, c).restore(t, 0, 50))
}

func TestANewOwnerWhoseNumberAZombieTookGoesOn(t *testing.T) {
	shared, zombie, c := uploaded(t, 2)
	owner := openNode(t, "owner", crashdisk.New(3), shared, c)
	owner.restore(t, 0, 20)
	require.NoError(t, zombie.work(30))
	require.NoError(t, zombie.Snapshot(t.Context()))
	require.NoError(t, zombie.Upload(t.Context()))
	require.NoError(t, owner.work(40))
	require.NoError(t, owner.Snapshot(t.Context()))
	require.NoError(t, owner.Upload(t.Context()))
	require.EqualValues(t, 40, openNode(t, "third", crashdisk.New(4), shared, c).restore(t, 0, 40))
}

func TestWhatBelongsToAnotherIsRefused(t *testing.T) {
	for _, test := range []struct {
		name     string
		log      testengine.LogIdentity
		pipeline string
		want     string
	}{
		{"another log", testengine.LogIdentity{ID: "log-b", Partitions: 1}, "", "belongs to log log-a"},
		{"another number of partitions", testengine.LogIdentity{ID: "log-a", Partitions: 2}, "", "partition 0 of 1"},
		{"another pipeline", testLog, "archive", "belongs to pipeline"},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared, _, _ := uploaded(t, 2)
			directory, err := depot.NewDirectory(shared, "depot")
			require.NoError(t, err)
			s, err := state.Open(crashdisk.New(3), state.Options{Dir: "state", Depot: directory, Pipeline: test.pipeline})
			require.NoError(t, err)
			_, err = s.Restore(t.Context(), test.log, 0, 0, 20)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestDamageInTheDepotCostsAReplayOnly(t *testing.T) {
	for _, test := range []struct {
		name, prefix string
		want         int64
	}{
		{"without the newest manifest the one before is used", "manifest-000000000005", 40},
		{"with a base missing the newest manifest that verifies is used", "base-", 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared, _, c := uploaded(t, 5)
			names, err := shared.List("depot/0000")
			require.NoError(t, err)
			for _, name := range names {
				if strings.HasPrefix(name, test.prefix) {
					require.NoError(t, shared.Remove(path.Join("depot/0000", name)))
				}
			}
			require.Equal(t, test.want, openNode(t, "second", crashdisk.New(3), shared, c).restore(t, 0, 50))
		})
	}
}

func TestTheDepotIsKeptClean(t *testing.T) {
	shared, first, c := uploaded(t, 2)
	directory, err := depot.NewDirectory(shared, "depot")
	require.NoError(t, err)
	orphan := "0000/delta-000000000077.1800000000000.gone.seg"
	require.NoError(t, directory.Put(t.Context(), orphan, strings.NewReader("x"), 1))
	count := func() (manifests, others int, orphaned bool) {
		names, err := shared.List("depot/0000")
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasPrefix(name, "manifest-") {
				manifests++
			} else {
				others++
			}
			orphaned = orphaned || name == path.Base(orphan)
		}
		return manifests, others, orphaned
	}
	for n := int64(2); n < 150; n++ {
		c.now = c.now.Add(2 * time.Minute)
		require.NoError(t, first.work(n*10+10))
		require.NoError(t, first.Snapshot(t.Context()))
		require.NoError(t, first.Upload(t.Context()))
		if _, _, orphaned := count(); n < 30 {
			require.True(t, orphaned, "a file younger than an hour is spared")
		}
	}
	manifests, others, orphaned := count()
	require.Equal(t, 3, manifests)
	require.False(t, orphaned)
	require.Less(t, others, 80, "files that no manifest names go after an hour")
}

func TestAPartitionThatMovesThroughCrashesIsTheFoldOfTheLog(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		shared, c := crashdisk.New(seed), &clock{now: time.Unix(1_800_000_000, 0)}
		disks := []*crashdisk.Disk{crashdisk.New(seed + 100), crashdisk.New(seed + 200), crashdisk.New(seed + 300)}
		committed := int64(0)
		for range 12 {
			at := random.IntN(len(disks))
			if random.IntN(4) == 0 {
				disks[at] = crashdisk.New(random.Uint64())
			}
			n := openNode(t, "n", disks[at], shared, c)
			next := n.restore(t, 0, committed)
			require.LessOrEqual(t, next, committed)
			if random.IntN(2) == 0 {
				shared.StopAfter(random.IntN(200))
			}
			if random.IntN(2) == 0 {
				disks[at].StopAfter(random.IntN(200))
			}
			for range 8 {
				if n.work(max(n.acked, committed)+random.Int64N(20)) != nil {
					break
				}
				committed = n.acked
				c.now = c.now.Add(time.Minute)
				if err := errors.Join(n.Snapshot(t.Context()), n.Upload(t.Context())); err != nil && !errors.Is(err, crashdisk.ErrStopped) {
					require.NoError(t, err)
				}
			}
			if random.IntN(2) == 0 {
				shared.Kill()
			} else {
				shared.Crash()
			}
			if random.IntN(2) == 0 {
				disks[at].Kill()
			} else {
				disks[at].Crash()
			}
		}
		require.Positive(t, committed)
	}
}

func TestAResetCountsForAllNodes(t *testing.T) {
	shared, first, c := uploaded(t, 5)
	require.NoError(t, first.Close(t.Context()))
	_, err := state.Reset(first.disk, "state", -1, 20)
	require.NoError(t, err)
	first = openNode(t, "first", first.disk, shared, c)
	next, err := first.Restore(t.Context(), testLog, 0, 0, 50)
	require.NoError(t, err)
	require.EqualValues(t, 20, next, "the snapshots of before the reset count no more")
	first.table, err = first.Table(t.Context(), "b", 0, "v1")
	require.NoError(t, err)
	first.acked = 20
	require.NoError(t, first.work(30))
	require.NoError(t, first.Snapshot(t.Context()))
	require.NoError(t, first.Upload(t.Context()))

	for name, own := range map[string]*crashdisk.Disk{"a new node": crashdisk.New(7), "a node with files of before": olderNode(t)} {
		n := openNode(t, "n", own, shared, c)
		next, err := n.Restore(t.Context(), testLog, 0, 0, 45)
		require.NoError(t, err)
		require.EqualValues(t, 30, next, name)
	}
}

// olderNode is the disk of a node that has done fifty records.
func olderNode(t *testing.T) *crashdisk.Disk {
	t.Helper()
	n := openNode(t, "older", crashdisk.New(9), crashdisk.New(10), &clock{now: time.Unix(1_800_000_000, 0)})
	n.restore(t, 0, 0)
	require.NoError(t, n.work(45))
	require.NoError(t, n.Close(t.Context()))
	return n.disk
}

// imported is a state that another log has left, in a folder for this one, where it
// stands before the first record.
func imported(t *testing.T) *crashdisk.Disk {
	t.Helper()
	_, first, _ := uploaded(t, 5)
	require.NoError(t, first.Close(t.Context()))
	var lines bytes.Buffer
	require.NoError(t, state.Export(t.Context(), first.disk, "state", &lines))
	own := crashdisk.New(7)
	require.NoError(t, state.Import(own, "state", &lines, state.Target{Log: testengine.LogIdentity{ID: "log-b", Partitions: 1}}))
	return own
}

func TestAnImportedStateIsThereForEveryNode(t *testing.T) {
	log := testengine.LogIdentity{ID: "log-b", Partitions: 1}
	for name, upload := range map[string]func(own *crashdisk.Disk, shared *crashdisk.Disk, directory state.Depot){
		"published at once": func(own, _ *crashdisk.Disk, directory state.Depot) {
			require.NoError(t, state.Publish(t.Context(), own, "state", state.Options{Depot: directory}))
			require.ErrorContains(t, state.Publish(t.Context(), own, "state", state.Options{Depot: directory}), "it holds a state already")
		},
		"uploaded by the process that has its folder": func(own, shared *crashdisk.Disk, _ state.Depot) {
			one := openNode(t, "one", own, shared, &clock{now: time.Unix(1_800_000_000, 0)})
			next, err := one.Restore(t.Context(), log, 0, 0, 0)
			require.NoError(t, err)
			require.Zero(t, next)
			require.NoError(t, one.Upload(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			own, shared := imported(t), crashdisk.New(8)
			directory, err := depot.NewDirectory(shared, "depot")
			require.NoError(t, err)
			upload(own, shared, directory)
			another := openNode(t, "another", crashdisk.New(9), shared, &clock{now: time.Unix(1_800_000_000, 0)})
			next, err := another.Restore(t.Context(), log, 0, 0, 0)
			require.NoError(t, err)
			require.Zero(t, next, "it stands before the first record of its log")
			table, err := another.Table(t.Context(), "a", 0, "v1")
			require.NoError(t, err)
			require.Equal(t, fold(t, 50), dump(table), "and knows what was before")
		})
	}
}
