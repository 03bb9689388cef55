// Package states3 moves state between nodes through a real S3 server.
package states3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/bucket"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

func open(t *testing.T, endpoint, prefix string) *bucket.Bucket {
	t.Helper()
	b, err := bucket.New(t.Context(), bucket.Config{
		Bucket: "states", Prefix: prefix, Endpoint: endpoint, Region: "us-east-1", PathStyle: true, ID: harness.S3ID, Secret: harness.S3Secret,
	})
	require.NoError(t, err)
	return b
}

// content is an io.WriterAt in memory.
type content []byte

func (c *content) WriteAt(p []byte, at int64) (int, error) {
	*c = append((*c)[:at], p...)
	return len(p), nil
}

func TestABucketIsADepot(t *testing.T) {
	endpoint := harness.StartS3(t, "states")
	b := open(t, endpoint, "flaky")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	require.NoError(t, b.Put(t.Context(), "0000/a", bytes.NewReader(big), int64(len(big))))
	var got content
	size, err := b.Get(t.Context(), "0000/a", &got)
	require.NoError(t, err)
	require.EqualValues(t, len(big), size)
	require.True(t, bytes.Equal(big, got))
	_, err = b.Get(t.Context(), "0000/b", &got)
	require.ErrorIs(t, err, fs.ErrNotExist)

	names, err := b.List(t.Context(), "0000")
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names)
	names, err = open(t, endpoint, "other").List(t.Context(), "0000")
	require.NoError(t, err)
	require.Empty(t, names, "prefixes do not see each other")
	require.NoError(t, b.Delete(t.Context(), "0000/a"))
	require.NoError(t, b.Delete(t.Context(), "0000/a"))

	t.Run("of twelve writers of a manifest one wins", func(t *testing.T) {
		var wait sync.WaitGroup
		var won atomic.Int32
		for n := range 12 {
			wait.Go(func() {
				err := b.PutNew(t.Context(), "0000/manifest", fmt.Appendf(nil, "writer %d", n))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, state.ErrTaken) {
					t.Errorf("writer %d: %v", n, err)
				}
			})
		}
		wait.Wait()
		require.EqualValues(t, 1, won.Load())
	})
}

// node is a process with a disk of its own.
func node(t *testing.T, endpoint, name string) *state.Store {
	t.Helper()
	s, err := state.Open(disk.OS(), state.Options{
		Dir: filepath.Join(t.TempDir(), "state"), Depot: open(t, endpoint, "moving"), Process: name, Pipeline: "detect_flaky",
		MergeBytes: 64 << 10, Now: time.Now, Warn: func(text string) { t.Log(name, text) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })
	return s
}

func TestStateMovesThroughS3(t *testing.T) {
	endpoint := harness.StartS3(t, "states")
	log := testengine.LogIdentity{ID: "topic-1", Partitions: 1}
	const perNode = 40
	for n := range int64(3) {
		s := node(t, endpoint, fmt.Sprintf("node%d", n))
		next, err := s.Restore(t.Context(), log, 0, 0, n*perNode)
		require.NoError(t, err)
		require.Equal(t, n*perNode, next)
		table, err := s.Table(t.Context(), "counts", 0, "v1")
		require.NoError(t, err)
		require.EqualValues(t, next*100, table.Len())
		for record := next; record < next+perNode; record++ {
			require.NoError(t, table.Begin(record, record))
			for key := range uint64(100) {
				table.SetCell(uint64(record)*100+key, key)
			}
			require.NoError(t, table.End())
			s.Acked(0, record+1)
			if record%10 == 9 {
				require.NoError(t, s.Snapshot(t.Context()))
				require.NoError(t, s.Upload(t.Context()))
			}
		}
	}

	stranger, err := state.Open(disk.OS(), state.Options{Dir: t.TempDir(), Depot: open(t, endpoint, "moving"), Pipeline: "archive"})
	require.NoError(t, err)
	_, err = stranger.Restore(t.Context(), log, 0, 0, perNode)
	require.ErrorContains(t, err, `belongs to pipeline "detect_flaky"`)
}
