package state

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// version is a pipeline's process: the records it has done, as a reader sees them.
type version struct {
	t      *testing.T
	disk   *crashdisk.Disk
	dir    string
	store  *Store
	tables map[string]*Table
	next   int64
	out    []int64
}

// start opens the state and brings it to the group's offset. What is redone up
// to there is silent.
func (v *version) start(offset int64) {
	var err error
	v.store, err = Open(v.disk, Options{Dir: v.dir, MergeBytes: 2 << 10})
	require.NoError(v.t, err)
	v.next, err = v.store.Restore(v.t.Context(), testLog, 0, 0, offset)
	require.NoError(v.t, err)
	v.tables = map[string]*Table{}
	for name := range seeds {
		v.tables[name], err = v.store.Table(v.t.Context(), name, 0, "v1")
		require.NoError(v.t, err)
	}
	v.work(offset, false)
}

func (v *version) work(to int64, live bool) {
	require.NoError(v.t, process(v.tables, v.next, to))
	for ; v.next < to; v.next++ {
		if live {
			v.out = append(v.out, v.next)
		}
	}
	v.store.Acked(0, to)
	require.NoError(v.t, v.store.Snapshot(v.t.Context()))
}

func (v *version) stop() { require.NoError(v.t, v.store.Close(v.t.Context())) }

func TestBlueHandsOverToGreenAndBack(t *testing.T) {
	d, f := crashdisk.New(1), newFolds(t)
	blue, green := &version{t: t, disk: d, dir: "blue"}, &version{t: t, disk: d, dir: "green"}
	require.NoError(t, d.MkdirAll("green"))
	blue.start(0)
	blue.work(30, true)

	// Green begins with blue's snapshot, in a group of its own, while blue goes on.
	var snapshot bytes.Buffer
	require.NoError(t, Export(t.Context(), d, "blue", &snapshot))
	require.NoError(t, Import(d, "green", &snapshot, Target{}))
	green.start(30)
	green.work(70, true) // ahead of blue
	shadow := green.out
	blue.work(60, true)
	require.Equal(t, blue.out[30:], shadow[:30], "the outputs are the same, window by window")
	_, err := HandOver(d, "blue", "green")
	require.ErrorIs(t, err, disk.ErrLocked, "blue has to drain first")
	blue.stop()
	_, err = HandOver(d, "blue", "green")
	require.ErrorContains(t, err, "shadow group", "and green's shadow to end")
	green.stop()

	h, err := HandOver(d, "blue", "green")
	require.NoError(t, err)
	require.Equal(t, map[int]int64{0: 60}, h.Next)
	_, err = Open(d, Options{Dir: "blue"})
	require.ErrorContains(t, err, "handed over to green")
	green.out = nil
	green.start(h.Next[0])
	f.requireFold(green.store, 60)
	green.work(90, true)
	require.Equal(t, int64(60), green.out[0], "green begins where blue has stopped")
	green.stop()

	// Rollback is the same the other way round.
	h, err = HandOver(d, "green", "blue")
	require.NoError(t, err)
	require.Equal(t, map[int]int64{0: 90}, h.Next)
	_, err = Open(d, Options{Dir: "green"})
	require.ErrorContains(t, err, "handed over to blue")
	blue.start(h.Next[0])
	f.requireFold(blue.store, 90)
	blue.work(100, true)
	require.Equal(t, int64(90), blue.out[60])
	seen := map[int64]int{}
	for _, record := range append(append([]int64{}, blue.out...), green.out...) {
		seen[record]++
	}
	require.Len(t, seen, 100)
	for record, times := range seen {
		require.Equal(t, 1, times, "record %d", record)
	}
}

func TestAStateThatDoesNotFitIsNotHandedOver(t *testing.T) {
	d := crashdisk.New(1)
	blue := &version{t: t, disk: d, dir: "blue"}
	blue.start(0)
	blue.work(10, true)
	blue.stop()
	require.NoError(t, d.MkdirAll("green"))
	_, err := HandOver(d, "blue", "green")
	require.ErrorContains(t, err, "state import")
	other, err := Open(d, Options{Dir: "other", Pipeline: "archive"})
	require.NoError(t, err)
	_, err = other.Restore(t.Context(), testLog, 0, 0, 0)
	require.NoError(t, err)
	require.NoError(t, other.Close(t.Context()))
	_, err = HandOver(d, "blue", "other")
	require.ErrorIs(t, err, errForeign)
}
