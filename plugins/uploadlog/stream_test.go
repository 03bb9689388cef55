package uploadlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// seen is one message as the output saw it.
type seen struct {
	lane, offset, logTime int64
	kind, logID, body     string
}

// receiver is an output that can be told to fail, and remembers in order what it took.
type receiver struct {
	mu    sync.Mutex
	fail  func(seen) error
	taken []seen
	tried int
	more  chan struct{}
}

func (r *receiver) consume(_ context.Context, batch service.MessageBatch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried++
	var whole []seen
	for _, m := range batch {
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		lane, _ := message.Int(m, testengine.MetaPartition)
		offset, _ := message.Int(m, testengine.MetaOffset)
		logTime, _ := message.Int(m, testengine.MetaLogTime)
		s := seen{lane: lane, offset: offset, logTime: logTime, kind: string(message.Kind(m)), logID: message.Text(m, testengine.MetaLogID), body: string(body)}
		if r.fail != nil {
			if err := r.fail(s); err != nil {
				return err
			}
		}
		whole = append(whole, s)
	}
	r.taken = append(r.taken, whole...)
	select {
	case r.more <- struct{}{}:
	default:
	}
	return nil
}

// waitFor returns what was taken once there are n of it.
func (r *receiver) waitFor(t *testing.T, n int) []seen {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		taken := append([]seen(nil), r.taken...)
		r.mu.Unlock()
		if len(taken) >= n {
			return taken
		}
		select {
		case <-r.more:
		case <-deadline:
			require.FailNow(t, "timeout", "%d of %d messages arrived", len(taken), n)
		}
	}
}

// startStream runs a real stream with the buffer; send returns once the log has the upload.
func startStream(t *testing.T, path, extra string, out *receiver) (send service.MessageHandlerFunc, stop func()) {
	t.Helper()
	out.more = make(chan struct{}, 1)
	b := service.NewStreamBuilder()
	b.SetThreads(4)
	require.NoError(t, b.SetLoggerYAML(`level: "OFF"`))
	require.NoError(t, b.SetBufferYAML(fmt.Sprintf(`
upload_log:
    path: %s
    min_free_bytes: 1MB
    min_free_percent: 0
    segment_bytes: 1MB
%s
`, path, extra)))
	send, err := b.AddProducerFunc()
	require.NoError(t, err)
	require.NoError(t, b.AddBatchConsumerFunc(out.consume))
	stream, err := b.Build()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- stream.Run(context.Background()) }()
	return send, func() {
		require.NoError(t, stream.StopWithin(20*time.Second))
		require.NoError(t, <-done)
	}
}

func upload(suite string, number int) *service.Message {
	m := service.NewMessage(fmt.Appendf(nil, "%s-%d", suite, number))
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, "local")
	m.MetaSetMut(testengine.MetaSuite, suite)
	m.MetaSetMut(testengine.MetaUploadID, fmt.Sprintf("up_%s_%d", suite, number))
	m.MetaSetMut(testengine.MetaReceivedAt, int64(1000+number))
	return m
}

func TestAStreamKeepsOrderAndSkipsNothingWhenTheOutputFails(t *testing.T) {
	out := &receiver{}
	failures := map[int64]int{}
	out.fail = func(s seen) error {
		// Every seventh record fails twice, wherever it stands in its batch.
		if s.offset%7 == 3 && failures[s.offset] < 2 {
			failures[s.offset]++
			return errors.New("the store is away")
		}
		return nil
	}
	path := filepath.Join(t.TempDir(), "log")
	send, stop := startStream(t, path, "    batch_entries: 5", out)
	var sending sync.WaitGroup
	for suite := range 6 {
		sending.Go(func() {
			for number := range 30 {
				if err := send(t.Context(), upload(fmt.Sprintf("suite%d", suite), number)); err != nil {
					t.Errorf("sending: %v", err)
				}
			}
		})
	}
	sending.Wait()
	taken := out.waitFor(t, 180)
	stop()
	require.Len(t, taken, 180)
	require.NotEmpty(t, failures)
	requireOrder(t, taken)

	t.Run("nothing comes again after a restart", func(t *testing.T) {
		again := &receiver{}
		send, stop := startStream(t, path, "", again)
		require.NoError(t, send(t.Context(), upload("suite0", 30)))
		taken := again.waitFor(t, 1)
		stop()
		require.Len(t, taken, 1)
		require.EqualValues(t, 180, taken[0].offset, "numbers go on")
	})
}

// requireOrder holds each lane to growing offsets and each suite to the order it was sent in.
func requireOrder(t *testing.T, taken []seen) {
	t.Helper()
	last := map[int64]int64{}
	numbers := map[string]int{}
	ids := map[string]bool{}
	for _, s := range taken {
		ids[s.logID] = true
		if before, ok := last[s.lane]; ok {
			require.Greater(t, s.offset, before, "lane %d", s.lane)
		}
		last[s.lane] = s.offset
		var suite, number int
		_, err := fmt.Sscanf(s.body, "suite%d-%d", &suite, &number)
		require.NoError(t, err)
		name := fmt.Sprintf("suite%d", suite)
		require.Equal(t, numbers[name], number, name)
		numbers[name]++
	}
	require.Len(t, ids, 1)
}

func TestAnOutputThatIsAwayLosesNothingOverRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	away := &receiver{fail: func(seen) error { return errors.New("away") }}
	send, stop := startStream(t, path, "", away)
	for number := range 20 {
		require.NoError(t, send(t.Context(), upload("suite1", number)), "the door is answered although the output is away")
	}
	stop()
	require.Empty(t, away.taken)

	back := &receiver{}
	_, stop = startStream(t, path, "", back)
	taken := back.waitFor(t, 20)
	stop()
	require.Len(t, taken, 20)
	requireOrder(t, taken)
}

func TestADuplicateIsRecordedWithoutItsBody(t *testing.T) {
	out := &receiver{}
	send, stop := startStream(t, filepath.Join(t.TempDir(), "log"), "", out)
	require.NoError(t, send(t.Context(), upload("suite1", 1)))
	require.NoError(t, send(t.Context(), upload("suite1", 1)))
	taken := out.waitFor(t, 2)
	stop()
	require.Equal(t, "upload", taken[0].kind)
	require.Equal(t, "duplicate", taken[1].kind)
	require.Empty(t, taken[1].body)
	require.Greater(t, taken[1].offset, taken[0].offset)
}

func TestAChangeOfEverySuiteGoesOnceToEachLane(t *testing.T) {
	out := &receiver{}
	send, stop := startStream(t, filepath.Join(t.TempDir(), "log"), "    lanes: 3", out)
	change := service.NewMessage([]byte(`{"id":"c1"}`))
	change.MetaSetMut(testengine.MetaKind, string(testengine.KindChange))
	change.MetaSetMut(testengine.MetaOrg, "local")
	require.NoError(t, send(t.Context(), change))
	taken := out.waitFor(t, 3)
	stop()
	lanes := map[int64]bool{}
	for _, s := range taken {
		require.JSONEq(t, `{"id":"c1"}`, s.body)
		lanes[s.lane] = true
	}
	require.Len(t, lanes, 3)
}
