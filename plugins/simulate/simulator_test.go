package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const smallWorld = `
suites: 2
tests_per_suite: 60
days: 2
flaky_share: 0.1
until: 2026-05-04T12:00:00Z
`

func newTestSimulator(t *testing.T, yaml string) *simulator {
	t.Helper()
	conf, err := simulatorSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	config, err := simulatorFromParsed(conf, time.Now())
	require.NoError(t, err)
	s, err := newSimulator(config, service.MockResources(), time.Now)
	require.NoError(t, err)
	return s
}

// readHistory reads to the end of the input and acknowledges every batch.
func readHistory(t *testing.T, s service.BatchInput) (messages service.MessageBatch) {
	t.Helper()
	require.NoError(t, s.Connect(t.Context()))
	for {
		batch, ack, err := s.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			return messages
		}
		require.NoError(t, err)
		messages = append(messages, batch...)
		require.NoError(t, ack(t.Context(), nil))
	}
}

func uploadIDs(messages service.MessageBatch) (ids []string) {
	for _, m := range messages {
		ids = append(ids, message.Text(m, testengine.MetaUploadID))
	}
	return ids
}

func TestTheHistoryLeadsUpToItsEndAndNotBeyond(t *testing.T) {
	s := newTestSimulator(t, smallWorld+"live_interval: 0s")
	messages := readHistory(t, s)
	require.Greater(t, len(messages), 300)

	until := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).UnixMilli()
	last := time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	for _, m := range messages {
		at, ok := message.Int(m, testengine.MetaReceivedAt)
		require.True(t, ok)
		require.GreaterOrEqual(t, at, last)
		require.LessOrEqual(t, at, until)
		last = at
		require.Equal(t, testengine.KindUpload, message.Kind(m))
		require.Equal(t, "local", message.Text(m, testengine.MetaOrg))
		require.Equal(t, "main", message.Text(m, testengine.MetaDefaultBranch))
	}
	require.Greater(t, last, until-int64(2*time.Hour/time.Millisecond), "the history is alive to its end")
}

func TestTheSameSeedSendsTheSameUploads(t *testing.T) {
	first := uploadIDs(readHistory(t, newTestSimulator(t, smallWorld+"live_interval: 0s")))
	again := uploadIDs(readHistory(t, newTestSimulator(t, smallWorld+"live_interval: 0s\nbatch_uploads: 3")))
	other := uploadIDs(readHistory(t, newTestSimulator(t, smallWorld+"live_interval: 0s\nseed: 2")))
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
}

func TestAfterTheHistoryUploadsComeLive(t *testing.T) {
	s := newTestSimulator(t, smallWorld+"live_interval: 1ms")
	before := time.Now().UnixMilli()
	live := 0
	for live < 5 {
		batch, ack, err := s.ReadBatch(t.Context())
		require.NoError(t, err)
		require.NoError(t, ack(t.Context(), nil))
		if at, _ := message.Int(batch[0], testengine.MetaReceivedAt); at >= before {
			require.Len(t, batch, 1)
			require.LessOrEqual(t, at, time.Now().UnixMilli())
			live++
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.ReadBatch(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "position.json")
	yaml := smallWorld + "live_interval: 0s\nbatch_uploads: 4\nduplicate_share: 0\n"
	whole := uploadIDs(readHistory(t, newTestSimulator(t, yaml)))

	s := newTestSimulator(t, yaml+"position_file: "+file)
	var got []string
	var acks []service.AckFunc
	for range 10 {
		batch, ack, err := s.ReadBatch(t.Context())
		require.NoError(t, err)
		got = append(got, uploadIDs(batch)...)
		acks = append(acks, ack)
	}
	// The sixth batch never came back: everything from there on is sent again.
	for i, ack := range acks {
		if i != 5 {
			require.NoError(t, ack(t.Context(), nil))
		}
	}
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, whole[:40], got)

	again := uploadIDs(readHistory(t, newTestSimulator(t, yaml+"position_file: "+file)))
	require.Equal(t, whole[20:], again)

	conf, err := simulatorSpec().ParseYAML(yaml+"seed: 9\nposition_file: "+file, nil)
	require.NoError(t, err)
	config, err := simulatorFromParsed(conf, time.Now())
	require.NoError(t, err)
	_, err = newSimulator(config, service.MockResources(), time.Now)
	require.ErrorContains(t, err, "belongs to another world")
}

func TestTheTruthCanBeAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "truth.json")
	s := newTestSimulator(t, smallWorld+"live_interval: 0s\ntruth_file: "+file)
	readHistory(t, s)

	ask := func(target string) (truth world.Truth) {
		answer := httptest.NewRecorder()
		s.serveTruth(answer, httptest.NewRequest("GET", target, nil))
		require.Equal(t, 200, answer.Code)
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &truth))
		return truth
	}
	known := ask("/simulator/truth")
	flaky := 0
	for _, test := range known.Tests {
		if test.Kind != world.Stable {
			flaky++
			require.Positive(t, test.Rate)
		}
	}
	require.Equal(t, 12, flaky)
	require.Len(t, ask("/simulator/truth?stable=true").Tests, 120)

	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var written world.Truth
	require.NoError(t, json.Unmarshal(raw, &written))
	require.Equal(t, known, written)
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	for _, test := range []struct{ name, yaml, says string }{
		{"a history that ends in the future", "until: 2999-01-01T00:00:00Z", "later than now"},
		{"a time that is none", "until: tomorrow", "no RFC 3339 time"},
		{"more flaky tests than tests", "flaky_share: 2", "flaky_share must be between 0 and 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := simulatorSpec().ParseYAML(test.yaml, nil)
			require.NoError(t, err)
			_, err = simulatorFromParsed(conf, time.Now())
			require.ErrorContains(t, err, test.says)
		})
	}
}
