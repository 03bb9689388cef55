package disklog

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// BenchmarkAppend is the way from an upload in memory to its answer, with real
// syncs, as eight connections use it: each sends its next upload when the last is answered.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		for _, reading := range []bool{false, true} {
			b.Run(fmt.Sprintf("bytes=%d/reading=%v", size, reading), func(b *testing.B) { benchmarkAppend(b, size, reading) })
		}
	}
}

func benchmarkAppend(b *testing.B, size int, reading bool) {
	changed := make(chan struct{}, 1)
	options := Options{
		SegmentBytes: 256 << 20, MemoryBytes: 64 << 20, Random: rand.Reader, MaxBytes: 4 << 30,
		Changed: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	}
	l, err := Open(disk.OS(), filepath.Join(b.TempDir(), "log"), options)
	require.NoError(b, err)
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	stop := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		drain(b, l, reading, changed, stop)
	}()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.SetParallelism(4) // Times GOMAXPROCS.
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		answered := make(chan error, 1)
		answer := func(err error) { answered <- err }
		for n := 0; pb.Next(); n++ {
			e := Entry{Kind: testengine.KindUpload, Lane: n % 4, ReceivedAt: 1, Body: body, Meta: []Pair{{Name: "org", Text: "local"}, {Name: "suite", Text: "quickstart"}}}
			if err := l.Append([]Entry{e}, answer); err != nil {
				b.Error(err)
				return
			}
			if err := <-answered; err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	close(stop)
	<-read
	require.NoError(b, l.Close())
}

// drain is the stream behind the log: it reads everything, or only says that it is done.
func drain(b *testing.B, l *Log, reading bool, changed, stop chan struct{}) {
	next := make([]int64, 4)
	for {
		select {
		case <-stop:
			return
		case <-changed:
		}
		for lane := range next {
			for reading && !l.AtEnd(lane, next[lane]) {
				records, err := l.Read(lane, next[lane], Limit{Entries: 64, Bytes: 16 << 20})
				if err != nil || len(records) == 0 {
					b.Errorf("reading: %v", err)
					return
				}
				next[lane] = records[len(records)-1].Number + 1
				l.Done(lane, next[lane], records)
			}
			if !reading {
				l.Done(lane, l.End(), nil)
			}
		}
		_ = l.Trim()
	}
}

// BenchmarkOpen is a start with a gigabyte in the log, after a crash.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "log")
	options := Options{SegmentBytes: 256 << 20, Random: rand.Reader}
	l, err := Open(disk.OS(), dir, options)
	require.NoError(b, err)
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	for n := range 10_000 {
		last := make(chan error, 1)
		require.NoError(b, l.Append([]Entry{{Lane: n % 4, Body: body}}, func(err error) { last <- err }))
		if n%100 == 99 {
			require.NoError(b, <-last)
		}
	}
	require.NoError(b, l.Close())
	require.NoError(b, disk.OS().Remove(filepath.Join(dir, checkpointName)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := Open(disk.OS(), dir, options)
		require.NoError(b, err)
		b.StopTimer()
		require.NoError(b, l.Close())
		require.NoError(b, disk.OS().Remove(filepath.Join(dir, checkpointName)))
		b.StartTimer()
	}
}
