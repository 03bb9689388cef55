package avro

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	codec := NewBuiltIn()
	var again testengine.Record // One record for all, as readers do.
	for n := range 1000 {
		r := newRandom(uint64(n)).record(n)
		data, err := codec.Append([]byte("before"), r)
		require.NoError(t, err)
		require.Equal(t, "before", string(data[:6]))
		require.NoError(t, codec.Decode(t.Context(), data[6:], &again))
		require.Equal(t, *r, again, "seed %d", n)
		require.Equal(t, jsonOf(t, r), jsonOf(t, &again))
	}
}

func jsonOf(t *testing.T, r *testengine.Record) string {
	t.Helper()
	raw, err := json.Marshal(r.Value)
	require.NoError(t, err)
	return string(raw)
}

func TestEqualValuesAreEqualBytes(t *testing.T) {
	codec := NewBuiltIn()
	for n := range 50 {
		first, err := codec.Append(nil, newRandom(uint64(n)).record(n))
		require.NoError(t, err)
		second, err := codec.Append(nil, newRandom(uint64(n)).record(n))
		require.NoError(t, err)
		require.Equal(t, first, second)
	}
}

func TestFactsThatStateKeepsAreCopies(t *testing.T) {
	codec := NewBuiltIn()
	block := typical(3)
	data, err := codec.Append(nil, &testengine.Record{Kind: testengine.KindBlock, Value: block})
	require.NoError(t, err)
	var r testengine.Record
	require.NoError(t, codec.Decode(t.Context(), data, &r))
	name := r.Value.(*testengine.Block).Executions[0].Name
	clear(data)
	read := r.Value.(*testengine.Block)
	require.Equal(t, block.Upload, read.Upload)
	require.Equal(t, block.Position, read.Position)
	require.NotEqual(t, block.Executions[0].Name, name, "names are pieces of the record")
}

func TestRecordsThatCannotBeWritten(t *testing.T) {
	codec := NewBuiltIn()
	for name, c := range map[string]struct {
		record testengine.Record
		want   string
	}{
		"of a kind that is not ours":         {testengine.Record{Kind: "song"}, `no record is of kind "song"`},
		"without a kind":                     {testengine.Record{}, `no record is of kind ""`},
		"with a value of another kind":       {testengine.Record{Kind: testengine.KindRun, Value: &testengine.Verdict{}}, "its value is a *testengine.Verdict"},
		"without a value":                    {testengine.Record{Kind: testengine.KindBlock}, "its value is a <nil>"},
		"that are a block without an upload": {testengine.Record{Kind: testengine.KindBlock, Value: &testengine.Block{}}, "the block has no upload"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := codec.Append([]byte("before"), &c.record)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, "before", string(data))
		})
	}
	_, err := New(nil).Append(nil, &testengine.Record{Kind: testengine.KindTick})
	require.ErrorContains(t, err, "its schema was not prepared")
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	codec := NewBuiltIn()
	tick, err := codec.Append(nil, &testengine.Record{Kind: testengine.KindTick})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                   {nil, testengine.ErrCorruptRecord},
		"no frame":                  {[]byte(`{"org":"acme"}`), testengine.ErrCorruptRecord},
		"a frame and nothing in it": {tick[:5], testengine.ErrCorruptRecord},
		"a record cut short":        {tick[:len(tick)-1], testengine.ErrCorruptRecord},
		"a record and more":         {append(slices.Clip(tick), 0), testengine.ErrCorruptRecord},
		"an id nobody knows":        {[]byte{0, 0, 0, 0, 9, 1, 2}, testengine.ErrUnknownSchema},
	} {
		t.Run(name, func(t *testing.T) {
			r := testengine.Record{Kind: testengine.KindRun, Org: "left over"}
			err := codec.Decode(t.Context(), c.data, &r)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, r)
		})
	}
}

func TestUnknownIdsAreFetchedOnce(t *testing.T) {
	fetches := 0
	away := errors.New("the registry is away")
	texts := map[uint32]string{7: RecordRun.Current().Text, 8: `"string"`, 9: `{"type":"record","name":"Song","fields":[]}`, 10: "{"}
	codec := New(func(_ context.Context, id uint32) (string, error) {
		fetches++
		if text, ok := texts[id]; ok {
			return text, nil
		}
		return "", away
	})
	written := NewBuiltIn()
	written.Use(RecordRun, 7)
	data, err := written.Append(nil, &testengine.Record{Kind: testengine.KindRun, Value: &testengine.Run{ID: "a"}})
	require.NoError(t, err)
	var r testengine.Record
	for range 3 {
		require.NoError(t, codec.Decode(t.Context(), data, &r))
		require.Equal(t, "a", r.Value.(*testengine.Run).ID)
		for id := byte(8); id <= 10; id++ {
			require.ErrorIs(t, codec.Decode(t.Context(), []byte{0, 0, 0, 0, id, 0}, &r), testengine.ErrUnknownSchema)
		}
	}
	require.Equal(t, 4, fetches, "an id means the same for ever")
	err = codec.Decode(t.Context(), []byte{0, 0, 0, 0, 99, 0}, &r)
	require.ErrorIs(t, err, away, "not the record's fault")
	require.NotErrorIs(t, err, testengine.ErrUnknownSchema)
}
