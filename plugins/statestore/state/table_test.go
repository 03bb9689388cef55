package state

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheInverseOfMixingIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		key := random.Uint64()
		require.Equal(t, key, unmix(mix(key)))
	}
}

func TestSizeClassesHoldEveryLengthWithLittleWaste(t *testing.T) {
	for n := range MaxValue + 1 {
		size := classSize(classOf(n))
		require.GreaterOrEqual(t, size, n)
		if n > fineMax {
			require.LessOrEqual(t, size, n+n/perOctave+1, "length %d", n)
		}
	}
	require.Equal(t, classCount-1, classOf(MaxValue))
}

func TestATableHoldsWhatAMapHolds(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	table, err := NewMemory().Table(t.Context(), "a", 0, "")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	cells, values := map[uint64]uint64{}, map[uint64][]byte{}
	key := func() uint64 {
		if random.IntN(2) == 0 {
			return random.Uint64N(2000)
		}
		return random.Uint64N(2000) << 50
	}
	for i := range 200_000 {
		k := key()
		switch random.IntN(8) {
		case 0, 1, 2:
			table.SetCell(k, uint64(i))
			cells[k] = uint64(i)
			delete(values, k)
		case 3, 4:
			value := bytes.Repeat([]byte{byte(i)}, random.IntN(200))
			table.SetValue(k, value)
			values[k] = value
			delete(cells, k)
		case 5, 6:
			table.Delete(k)
			delete(values, k)
			delete(cells, k)
		case 7:
			cell, ok := table.Cell(k)
			want, has := cells[k]
			require.Equal(t, has, ok)
			if has {
				require.Equal(t, want, cell)
			}
			value, is := values[k]
			require.Equal(t, is, table.Value(k) != nil)
			require.True(t, bytes.Equal(value, table.Value(k)))
		}
	}
	require.NoError(t, table.End())
	require.Equal(t, len(cells)+len(values), table.Len())
	table.Range(func(key, cell uint64, value []byte) bool {
		if value != nil {
			require.True(t, bytes.Equal(values[key], value))
			return true
		}
		require.Equal(t, cells[key], cell)
		return true
	})
}

func TestTimersComeInOrderOfDueTimeAndId(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	table, err := NewMemory().Table(t.Context(), "a", 0, "")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	want := map[uint64]int64{}
	for range 20_000 {
		id, due := random.Uint64N(500), random.Int64N(1000)
		if random.IntN(4) == 0 {
			table.CancelTimer(id)
			delete(want, id)
			continue
		}
		table.SetTimer(id, due)
		want[id] = due
	}
	var before timer
	for range len(want) {
		id, due, ok := table.Due(1000)
		require.True(t, ok)
		require.Equal(t, want[id], due)
		require.True(t, before.before(timer{due, id}) || before == timer{})
		before = timer{due, id}
		table.CancelTimer(id)
	}
	_, _, ok := table.Due(1000)
	require.False(t, ok)
}

func TestARecordIsAppliedOnce(t *testing.T) {
	table, err := NewMemory().Table(t.Context(), "a", 0, "")
	require.NoError(t, err)
	require.NoError(t, table.Begin(7, 100))
	require.NoError(t, table.Begin(9, 50))
	require.EqualValues(t, 100, table.Time())
	require.ErrorIs(t, table.Begin(9, 60), ErrApplied)
	require.ErrorIs(t, table.Begin(8, 60), ErrApplied)
	table.SetCell(1, 1)
	require.ErrorContains(t, table.Begin(10, 60), "between Begin and End")
}

func TestATestThatNeverFailedCostsLessThan24Bytes(t *testing.T) {
	table, err := NewMemory().Table(t.Context(), "a", 0, "")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	random := rand.New(rand.NewPCG(4, 4))
	for n := 1; n <= 1_000_000; n++ {
		table.SetCell(random.Uint64(), 1)
		if n >= 50_000 && n%10_000 == 0 {
			require.LessOrEqual(t, float64(table.Bytes())/float64(n), 24.0, "at %d tests", n)
		}
	}
	t.Logf("%.1f bytes a test at 1 M", float64(table.Bytes())/1e6)
}

func BenchmarkTable(b *testing.B) {
	table, _ := NewMemory().Table(b.Context(), "a", 0, "")
	require.NoError(b, table.Begin(0, 1))
	const keys = 1 << 20
	for k := range uint64(keys) {
		table.SetCell(k, k)
	}
	b.Run("Cell", func(b *testing.B) {
		b.ReportAllocs()
		var k uint64
		for b.Loop() {
			k = (k + 0x9e3779b97f4a7c15)
			table.Cell(k % keys)
		}
	})
	b.Run("SetCell", func(b *testing.B) {
		b.ReportAllocs()
		var k uint64
		for b.Loop() {
			k = (k + 0x9e3779b97f4a7c15)
			table.SetCell(k%keys, k>>8)
		}
	})
	value := make([]byte, 60)
	b.Run("SetValue", func(b *testing.B) {
		b.ReportAllocs()
		var k uint64
		for b.Loop() {
			k = (k + 0x9e3779b97f4a7c15)
			table.SetValue(k%(keys/8), value)
		}
	})
}
