package chunk

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// shelf is an inner input that hands out batches and remembers how they ended.
type shelf struct {
	batches []service.MessageBatch
	ended   []string
}

func (s *shelf) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	if len(s.batches) == 0 {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	batch, at := s.batches[0], len(s.ended)
	s.batches = s.batches[1:]
	s.ended = append(s.ended, "open")
	return batch, func(_ context.Context, err error) error {
		s.ended[at] = "acked"
		if err != nil {
			s.ended[at] = err.Error()
		}
		return nil
	}, nil
}

func (*shelf) Close(context.Context) error { return nil }

func reassemblerOf(t *testing.T, yaml string, s *shelf) *reassembler {
	t.Helper()
	conf, err := reassembleSpec().ParseYAML("input: { generate: { mapping: 'root = 1' } }\n"+yaml, nil)
	require.NoError(t, err)
	config, err := reassembleFromParsed(conf)
	require.NoError(t, err)
	return newReassembler(config, s, service.MockResources())
}

// piecesOf cuts a payload into pieces of 64 bytes.
func piecesOf(t *testing.T, id, body string) service.MessageBatch {
	t.Helper()
	batch, _ := process(t, chunkerOf(t, "mode: bytes\nmax_bytes: 64B\npayload_id: "+id), with(service.NewMessage([]byte(body)), "org", "acme", "suite", id))
	return batch
}

func read(t *testing.T, r *reassembler) (content string, m *service.Message, ack service.AckFunc) {
	t.Helper()
	batch, ack, err := r.ReadBatch(t.Context())
	require.NoError(t, err)
	b, err := batch[0].AsBytes()
	require.NoError(t, err)
	return string(b), batch[0], ack
}

func TestAPayloadIsJoinedWhateverTheOrderAndAcknowledgedOnlyWhenItHasEnded(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		a, b := strings.Repeat("a", 65+r.IntN(500)), strings.Repeat("bc", 65+r.IntN(500))
		all := append(piecesOf(t, "a", a), piecesOf(t, "b", b)...)
		all = append(all, all[r.IntN(len(all))].Copy()) // one comes twice
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s := &shelf{}
		for len(all) > 0 {
			n := 1 + r.IntN(len(all))
			s.batches = append(s.batches, all[:n:n])
			all = all[n:]
		}
		reassembler := reassemblerOf(t, "", s)
		got := map[string]string{}
		for range 2 {
			content, m, ack := read(t, reassembler)
			got[message.Text(m, testengine.MetaPayloadID)] = content
			require.Empty(t, message.Text(m, testengine.MetaChunkIndex))
			require.Contains(t, strings.Join(s.ended, " "), "open")
			require.NoError(t, ack(t.Context(), nil))
		}
		require.Equal(t, map[string]string{"a": a, "b": b}, got, "seed %d", seed)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _, err := reassembler.ReadBatch(ctx) // takes a repeated piece that came last
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotContains(t, strings.Join(s.ended, " "), "open", "seed %d", seed)
	}
}

func TestAClaimIsFetchedOrGoesOnWithAReason(t *testing.T) {
	c := chunkerOf(t, "max_bytes: 64B\npayload_id: ${! @delivery }\nclaim_check: { cache: store, threshold: 1kB }", service.MockResourcesOptAddCache("store"))
	note := func(id string) *service.Message {
		batch, _ := process(t, c, with(service.NewMessage([]byte(pushes(100))), "delivery", id))
		return batch[0]
	}
	gone := with(note("gone"), testengine.MetaClaimCheck, "never-left")
	other := with(note("other"), testengine.MetaPayloadChecksum, "0")
	conf, err := reassembleSpec().ParseYAML("input: { generate: { mapping: 'root = 1' } }\nclaim_check_cache: store", nil)
	require.NoError(t, err)
	config, err := reassembleFromParsed(conf)
	require.NoError(t, err)
	s := &shelf{batches: []service.MessageBatch{{note("d-1")}, {gone}, {other}}}
	r := newReassembler(config, s, c.claims.res)

	content, m, ack := read(t, r)
	require.Equal(t, pushes(100), content)
	require.Equal(t, "d-1", message.Text(m, testengine.MetaPayloadID), "it has its name, as one that was joined")
	require.Empty(t, message.Text(m, testengine.MetaClaimCheck))
	require.Empty(t, message.Text(m, metaReason))
	require.NoError(t, ack(t.Context(), nil))
	for _, reason := range []string{"fetching payload never-left: key does not exist", "fetching payload other: the payload's checksum or length is another one"} {
		_, m, ack = read(t, r)
		require.Equal(t, reason, message.Text(m, metaReason))
		require.NotEmpty(t, message.Text(m, testengine.MetaClaimCheck))
		require.NoError(t, ack(t.Context(), nil))
	}
	require.Equal(t, []string{"acked", "acked", "acked"}, s.ended)
}

func TestMessagesThatAreNoPiecesPassAtOnce(t *testing.T) {
	pieces := piecesOf(t, "a", strings.Repeat("a", 100))
	s := &shelf{batches: []service.MessageBatch{{pieces[0], service.NewMessage([]byte("plain"))}, {pieces[1]}}}
	r := reassemblerOf(t, "", s)
	content, _, ack := read(t, r)
	require.Equal(t, "plain", content)
	require.NoError(t, ack(t.Context(), nil))
	require.Equal(t, []string{"open"}, s.ended, "its batch has a piece that is still open")
	content, _, ack = read(t, r)
	require.Len(t, content, 100)
	require.NoError(t, ack(t.Context(), nil))
	require.Equal(t, []string{"acked", "acked"}, s.ended)
}

func TestWhenAPayloadFailsItsPiecesAreTakenAnew(t *testing.T) {
	first := piecesOf(t, "a", strings.Repeat("a", 100))
	s := &shelf{batches: []service.MessageBatch{first, first}}
	r := reassemblerOf(t, "", s)
	_, _, ack := read(t, r)
	require.NoError(t, ack(t.Context(), errors.New("the store is away")))
	require.Equal(t, []string{"the store is away"}, s.ended)
	content, _, ack := read(t, r)
	require.Len(t, content, 100)
	require.NoError(t, ack(t.Context(), nil))
	require.Equal(t, []string{"the store is away", "acked"}, s.ended)
}

func TestPayloadsThatAreNotWholeInTimeLeaveWithAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pieces := piecesOf(t, "a", strings.Repeat("a", 200))
		s := &shelf{batches: []service.MessageBatch{{pieces[2]}, {pieces[0]}}}
		r := reassemblerOf(t, "timeout: 2m", s)
		began := time.Now()
		batch, ack, err := r.ReadBatch(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, time.Since(began))
		require.Len(t, batch, 2)
		require.Equal(t, "not all pieces came in time", message.Text(batch[0], metaReason))
		require.Equal(t, []string{"open", "open"}, s.ended, "until the dead letters are safe")
		require.NoError(t, ack(t.Context(), nil))
		require.Equal(t, []string{"acked", "acked"}, s.ended)
	})
}

func TestWhatDoesNotFitLeavesWithAReason(t *testing.T) {
	short, long := piecesOf(t, "a", strings.Repeat("a", 100)), piecesOf(t, "b", strings.Repeat("b", 200))
	wrong := piecesOf(t, "c", strings.Repeat("c", 100))
	wrong[0].SetBytes([]byte(strings.Repeat("x", 64)))
	other := with(short[1].Copy(), testengine.MetaChunkCount, "3")
	for _, c := range []struct {
		name, yaml string
		batch      service.MessageBatch
		reason     string
	}{
		{"another count", "", service.MessageBatch{short[0], other}, "the piece does not fit to the others of its payload"},
		{"more pieces than allowed", "max_pieces: 3", service.MessageBatch{long[0]}, "the piece does not fit to the others of its payload"},
		{"no index", "", service.MessageBatch{with(short[1].Copy(), testengine.MetaChunkIndex, "one")}, "the piece does not fit to the others of its payload"},
		{"another content", "", wrong, "the payload's checksum or length is another one"},
		{"its source holds too much", "max_source_bytes: 100B", service.MessageBatch{long[0], long[1]}, "open payloads hold too many bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, m, _ := read(t, reassemblerOf(t, c.yaml, &shelf{batches: []service.MessageBatch{c.batch}}))
			require.Equal(t, c.reason, message.Text(m, metaReason))
		})
	}
}

func TestTheBudgetOfOneSourceIsNotThatOfAnother(t *testing.T) {
	a, b := piecesOf(t, "a", strings.Repeat("a", 200)), piecesOf(t, "b", strings.Repeat("b", 200))
	s := &shelf{batches: []service.MessageBatch{{b[0]}, {a[0]}, {a[1]}, b[1:]}}
	r := reassemblerOf(t, "max_source_bytes: 100B\nsource: ${! @suite }", s)
	_, m, _ := read(t, r)
	require.Equal(t, "a", message.Text(m, testengine.MetaPayloadID))
	_, m, _ = read(t, r)
	require.Equal(t, "b", message.Text(m, testengine.MetaPayloadID))
}
