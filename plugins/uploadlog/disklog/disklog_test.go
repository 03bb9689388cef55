package disklog

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// small are options under which a few hundred entries fill several segments.
func small() Options {
	return Options{Lanes: 3, SegmentBytes: 32 << 10, Random: bytes.NewReader(bytes.Repeat([]byte("random"), 9)), MemoryBytes: 4 << 10}
}

func mustOpen(t *testing.T, d disk.Disk, options Options) *Log {
	t.Helper()
	l, err := Open(d, "data/log", options)
	require.NoError(t, err)
	return l
}

// appendNow appends and waits for the answer.
func appendNow(l *Log, entries ...Entry) error {
	answered := make(chan error, 1)
	if err := l.Append(entries, func(err error) { answered <- err }); err != nil {
		return err
	}
	return <-answered
}

// uploadEntry is an upload whose body says who it is.
func uploadEntry(name string, lane int, receivedAt int64, padding int) Entry {
	return Entry{
		Kind: testengine.KindUpload, Key: Key{Upload: name}, Lane: lane, ReceivedAt: receivedAt,
		Meta: []Pair{{Name: "upload_id", Text: name}, {Name: "received_at", Number: receivedAt, IsNumber: true}},
		Body: []byte(name + ":" + strings.Repeat("x", padding)),
	}
}

// everything reads the whole log in the order in which it was written.
func everything(t *testing.T, l *Log) []Record {
	t.Helper()
	replay := NewReplay(l, 0, 0)
	var all []Record
	for {
		records, err := replay.Next(Limit{Entries: 7, Bytes: 1 << 20})
		require.NoError(t, err)
		if len(records) == 0 {
			return all
		}
		all = append(all, records...)
	}
}

func nameOf(r Record) string { return r.Meta[0].Text }

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	for name, memory := range map[string]int64{"from memory": 1 << 20, "from disk": 0} {
		t.Run(name, func(t *testing.T) {
			options := small()
			options.MemoryBytes = memory
			l := mustOpen(t, crashdisk.New(1), options)
			require.NoError(t, appendNow(l, uploadEntry("a", 0, 100, 10), uploadEntry("b", 2, 90, 0)))
			require.NoError(t, appendNow(l, uploadEntry("c", 0, 110, 20_000)))
			all := everything(t, l)
			require.Len(t, all, 3)
			require.Equal(t, []int64{0, 1, 2}, []int64{all[0].Number, all[1].Number, all[2].Number})
			require.Equal(t, []int64{100, 100, 110}, []int64{all[0].Time, all[1].Time, all[2].Time}, "T never goes back")
			require.Equal(t, "b:", string(all[1].Body))
			require.Equal(t, uploadEntry("b", 2, 90, 0).Meta, all[1].Meta)
			require.Equal(t, testengine.KindUpload, all[1].Kind)

			records, err := l.Read(0, 1, Limit{Entries: 10, Bytes: 1 << 20})
			require.NoError(t, err)
			require.Len(t, records, 1)
			require.Equal(t, "c", nameOf(records[0]))
			require.True(t, l.AtEnd(1, 0))
			require.NoError(t, l.Close())
		})
	}
}

func TestSmallAndLargeGroupsFollowOnEachOther(t *testing.T) {
	d := crashdisk.New(1)
	options := small()
	options.SegmentBytes = 1 << 20
	l := mustOpen(t, d, options)
	var starts []bool
	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "write" && op.Name == "data/log/segment-000000000000" {
			starts = append(starts, l.whole)
		}
		return nil
	})
	var sent []string
	for number, size := range []int{10, 70_000, 10, 10, 90_000, 100_000, 5} {
		name := strconv.Itoa(number)
		sent = append(sent, name)
		require.NoError(t, appendNow(l, uploadEntry(name, number%3, 1, size)))
	}
	require.Equal(t, []bool{false, true, false, false, true, true, false}, starts)
	require.Equal(t, sent, names(t, l))
	require.NoError(t, l.Close())
	for _, checkpoint := range []bool{true, false} {
		if !checkpoint {
			require.NoError(t, d.Remove("data/log/checkpoint"))
		}
		l = mustOpen(t, d, options)
		require.Equal(t, sent, names(t, l))
		sent = append(sent, fmt.Sprint("again ", checkpoint))
		require.NoError(t, appendNow(l, uploadEntry(sent[len(sent)-1], 0, 1, 70_000)))
		require.Equal(t, sent, names(t, l))
		d.Kill()
	}
}

func TestADuplicateIsAnsweredAfterItsOriginalIsSafe(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("first", 0, 1, 1)))
	goOn := make(chan struct{})
	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "sync" {
			<-goOn
		}
		return nil
	})
	var order []string
	var mu sync.Mutex
	var answers sync.WaitGroup
	answers.Add(3)
	note := func(name string) func(error) {
		return func(err error) {
			defer answers.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, fmt.Sprint(name, err == nil))
		}
	}
	require.NoError(t, l.Append([]Entry{uploadEntry("a", 0, 5, 100)}, note("original ")))
	require.NoError(t, l.Append([]Entry{uploadEntry("a", 0, 6, 100)}, note("duplicate ")))
	require.NoError(t, l.Append([]Entry{uploadEntry("a", 0, 7, 100)}, note("again ")))
	mu.Lock()
	require.Empty(t, order, "nobody is answered before the sync")
	mu.Unlock()
	close(goOn)
	answers.Wait()
	require.Equal(t, []string{"original true", "duplicate true", "again true"}, order)
	all := everything(t, l)
	require.Len(t, all, 4)
	require.Equal(t, testengine.KindDuplicate, all[2].Kind)
	require.Empty(t, all[2].Body)
	require.Equal(t, "a", nameOf(all[3]))
	require.EqualValues(t, 2, l.Duplicates())
	require.NoError(t, l.Close())
}

func TestADuplicateIsForgottenAfterADayAndBeyondTheLimit(t *testing.T) {
	options := small()
	options.RecentKeys = 2
	l := mustOpen(t, crashdisk.New(1), options)
	day := (24 * time.Hour).Milliseconds()
	kinds := func() (kinds []testengine.Kind) {
		for _, r := range everything(t, l) {
			kinds = append(kinds, r.Kind)
		}
		return kinds
	}
	for _, e := range []Entry{
		uploadEntry("a", 0, 1, 0), uploadEntry("a", 0, 1+day, 0), uploadEntry("a", 0, 2+day, 0),
		uploadEntry("b", 0, 0, 0), uploadEntry("c", 0, 0, 0), uploadEntry("a", 0, 0, 0),
	} {
		require.NoError(t, appendNow(l, e))
	}
	require.Equal(t, []testengine.Kind{"upload", "duplicate", "upload", "upload", "upload", "upload"}, kinds())
	chunk := uploadEntry("a", 0, 0, 0)
	chunk.Key.Chunk = 1
	require.NoError(t, appendNow(l, chunk))
	require.Equal(t, testengine.KindUpload, kinds()[6], "another chunk of an upload is no duplicate")
	require.NoError(t, l.Close())
}

func TestADuplicateSharesTheFateOfItsOriginal(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	both := make(chan struct{})
	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "sync" {
			<-both
			return syscall.ENOSPC
		}
		return nil
	})
	answers := make(chan error, 2)
	for range 2 {
		require.NoError(t, l.Append([]Entry{uploadEntry("a", 0, 1, 10)}, func(err error) { answers <- err }))
	}
	close(both)
	require.Error(t, <-answers)
	require.Error(t, <-answers)
	_ = l.Close()
	d.Crash()
	l = mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 10)))
	uploads := 0
	for _, r := range everything(t, l) {
		if r.Kind == testengine.KindUpload {
			uploads++
		}
	}
	require.Equal(t, 1, uploads, "whether or not the first delivery survived")
	require.NoError(t, l.Close())
}

func TestDamageInTheMiddleIsARefusalThatNamesThePlace(t *testing.T) {
	fill := func(checkpoint bool) *crashdisk.Disk {
		d := crashdisk.New(1)
		l := mustOpen(t, d, small())
		for number := range 8 {
			require.NoError(t, appendNow(l, uploadEntry(fmt.Sprint("upload", number), number%3, 1, 1000)))
		}
		if checkpoint {
			require.NoError(t, l.Close())
		}
		d.Kill()
		return d
	}
	flip := func(d *crashdisk.Disk, at int64) {
		file, err := d.Open("data/log/segment-000000000000")
		require.NoError(t, err)
		b := make([]byte, 1)
		_, err = file.ReadAt(b, at)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte{b[0] ^ 1}, at)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	for _, test := range []struct {
		name       string
		at         int64
		checkpoint bool
	}{
		{"in a body, without a checkpoint", segmentHead + 3500, false},
		{"in a frame's head, without a checkpoint", segmentHead + 8, false},
		{"in a frame's head below the checkpoint", segmentHead + 1, true},
		{"in the segment's head", 20, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := fill(test.checkpoint)
			flip(d, test.at)
			_, err := Open(d, "data/log", small())
			require.ErrorContains(t, err, "segment-000000000000 is damaged at byte")
		})
	}
	t.Run("below the checkpoint it shows when it is read", func(t *testing.T) {
		d := fill(true)
		flip(d, segmentHead+500)
		l := mustOpen(t, d, small())
		_, err := l.Read(0, 0, Limit{Entries: 1, Bytes: 1})
		require.ErrorContains(t, err, "segment-000000000000 is damaged at byte 4096 (entry 0)")
		require.NoError(t, l.Close())
	})
	t.Run("a torn tail that nobody was answered for is cut off", func(t *testing.T) {
		d := fill(false)
		l := mustOpen(t, d, small())
		end := l.segments[0].end
		require.NoError(t, l.Close())
		require.NoError(t, d.Remove("data/log/checkpoint"))
		flip(d, end-1)
		l = mustOpen(t, d, small())
		require.EqualValues(t, 7, l.End())
		require.NoError(t, l.Close())
	})
	t.Run("the tail is part of the checkpoint", func(t *testing.T) {
		d := fill(true)
		l := mustOpen(t, d, small())
		require.NoError(t, l.Close())
		require.NoError(t, d.Remove("data/log/segment-000000000000"))
		_, err := Open(d, "data/log", small())
		require.ErrorContains(t, err, "ends before its checkpoint (entry 8)")
	})
}

func TestAFailedSyncIsNeverAnswered(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 10)))
	d.FailSync(syscall.EIO)
	require.ErrorIs(t, appendNow(l, uploadEntry("b", 0, 1, 10)), syscall.EIO)
	d.FailSync(nil)
	err := appendNow(l, uploadEntry("b", 0, 1, 10))
	require.ErrorIs(t, err, ErrFailed, "it stays closed although the disk works again")
	require.Error(t, l.Healthy())
	require.Len(t, everything(t, l), 1, "readers go on with what is safe")
	_ = l.Close()

	l = mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("c", 0, 1, 10)))
	names := []string{}
	for _, r := range everything(t, l) {
		names = append(names, nameOf(r))
	}
	require.Equal(t, "a", names[0])
	require.Equal(t, "c", names[len(names)-1])
	require.NoError(t, l.Close())
}

func TestAFolderBelongsToOneProcessAndOneIdentity(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	id := l.Identity()
	require.Equal(t, 3, id.Partitions)
	_, err := Open(d, "data/log", small())
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, l.Close())

	eight := small()
	eight.Lanes = 8
	_, err = Open(d, "data/log", eight)
	require.ErrorContains(t, err, "was made with 3 lanes and the configuration says 8")
	d.Kill()

	l = mustOpen(t, d, small())
	require.Equal(t, id, l.Identity())
	require.NoError(t, l.Close())

	d.RemoveAll("data/log")
	fresh := small()
	fresh.Random = bytes.NewReader(bytes.Repeat([]byte("other"), 9))
	l = mustOpen(t, d, fresh)
	require.NotEqual(t, id.ID, l.Identity().ID, "a folder made anew is another log")
	require.NoError(t, l.Close())

	require.NoError(t, d.Remove("data/log/log.json"))
	_, err = Open(d, "data/log", small())
	require.ErrorContains(t, err, "has segments but no log.json")
}

func TestAnEntryThatFitsNoSegmentIsRefused(t *testing.T) {
	l := mustOpen(t, crashdisk.New(1), small())
	require.ErrorIs(t, l.Append([]Entry{uploadEntry("big", 0, 1, 32<<10)}, nil), ErrTooLarge)
	require.NoError(t, appendNow(l, uploadEntry("fits", 0, 1, 32<<10-segmentHead-400)))
	require.NoError(t, appendNow(l, uploadEntry("fits too", 0, 1, 32<<10-segmentHead-400)))
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(nil, nil), ErrClosed)
}

func TestAReplayNeedsNoRepairAndChangesNothing(t *testing.T) {
	d := crashdisk.New(3)
	l := mustOpen(t, d, small())
	for number := range 25 {
		require.NoError(t, appendNow(l, uploadEntry(strconv.Itoa(number), number%3, 1, 3000)))
	}
	require.NoError(t, l.Close())
	options := Options{ReadOnly: true}
	before := d.Operations()
	l = mustOpen(t, d, options)
	d.Hook(func(op crashdisk.Op) error {
		require.Contains(t, []string{"read", "size"}, op.Verb)
		return nil
	})
	replay := NewReplay(l, 10, 20)
	var numbers []int64
	for {
		records, err := replay.Next(Limit{Entries: 4, Bytes: 1 << 20})
		require.NoError(t, err)
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			numbers = append(numbers, r.Number)
		}
	}
	require.Equal(t, []int64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, numbers)
	require.Greater(t, d.Operations(), before)
	require.NoError(t, l.Close())
}
