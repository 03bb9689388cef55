package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// FuzzDecode: whatever bytes come, reading them ends with a record that is
// written and read again as the same, or with an error of the record.
func FuzzDecode(f *testing.F) {
	codec := NewBuiltIn()
	for n := range 20 {
		data, err := codec.Append(nil, newRandom(uint64(n)).record(n))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r testengine.Record
		if err := codec.Decode(t.Context(), data, &r); err != nil {
			if len(data) >= frameHead && data[0] == 0 {
				require.Condition(t, func() bool { return isRecordsFault(err) }, err.Error())
			}
			return
		}
		if _, ours := RecordOf(r.Kind); !ours {
			return // A later kind of the log: passed by, never written.
		}
		again, err := codec.Append(nil, &r)
		require.NoError(t, err)
		var second testengine.Record
		require.NoError(t, codec.Decode(t.Context(), again, &second))
		third, err := codec.Append(nil, &second)
		require.NoError(t, err)
		require.Equal(t, again, third)
	})
}

// FuzzDecodeAnotherVersion does the same to what is read by resolution.
func FuzzDecodeAnotherVersion(f *testing.F) {
	var texts [recordCount]string
	for n := range 20 {
		r := newRandom(uint64(n)).record(n)
		record, _ := RecordOf(r.Kind)
		if texts[record] == "" {
			texts[record] = nextVersion(&testing.T{}, record)
		}
		data, err := appendValue([]byte{0, 0, 0, 0, byte(record)}, r)
		require.NoError(f, err)
		f.Add(data)
	}
	codec := New(func(_ context.Context, id uint32) (string, error) {
		if id >= uint32(recordCount) {
			return "", testengine.ErrUnknownSchema
		}
		return texts[id], nil
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r testengine.Record
		if err := codec.Decode(t.Context(), data, &r); err != nil {
			require.Condition(t, func() bool { return isRecordsFault(err) }, err.Error())
		}
	})
}

// A damaged record may claim any number of items; what is allocated for it
// stays within a multiple of its size. The library's values are wider than ours.
func TestWhatIsDamagedAllocatesLittle(t *testing.T) {
	next := make(map[Record]string)
	for _, record := range Records() {
		next[record] = nextVersion(t, record)
	}
	for name, c := range map[string]struct {
		codec *Codec
		head  func(Record) []byte
		times int
	}{
		"in the current version": {NewBuiltIn(), func(r Record) []byte { return binary.BigEndian.AppendUint32([]byte{0}, r.Current().ID()) }, 40},
		"in another version": {
			New(func(_ context.Context, id uint32) (string, error) { return next[Record(id)], nil }),
			func(r Record) []byte { return []byte{0, 0, 0, 0, byte(r)} }, 400,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r testengine.Record
			for n := range 300 {
				random := newRandom(uint64(n))
				value := random.record(n)
				record, _ := RecordOf(value.Kind)
				data, err := appendValue(c.head(record), value)
				require.NoError(t, err)
				_ = c.codec.Decode(t.Context(), data, &r) // What is done once per schema is not counted.
				for range 8 {
					at := frameHead + random.IntN(len(data)-frameHead)
					copy(data[at:], "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"[random.IntN(9):])
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					_ = c.codec.Decode(t.Context(), data, &r)
					runtime.ReadMemStats(&after)
					require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(c.times*len(data)+64<<10), "seed %d, byte %d", n, at)
				}
			}
		})
	}
}

func isRecordsFault(err error) bool {
	return errors.Is(err, testengine.ErrCorruptRecord) || errors.Is(err, testengine.ErrUnknownSchema)
}
