package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/stretchr/testify/require"
)

const testError = 0.01

var points = []float64{0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1}

func scale(t testing.TB) Scale {
	s, err := NewScale(testError)
	require.NoError(t, err)
	return s
}

// restart writes a sketch and reads it back, as a restored state does.
func restart(t testing.TB, q *Quantiles) *Quantiles {
	again := new(Quantiles)
	rest, err := again.ReadTail(q.AppendTail(nil))
	require.NoError(t, err)
	require.Empty(t, rest)
	if q.folded {
		require.True(t, again.Unloaded())
		require.NoError(t, again.LoadBase(q.AppendBase(nil)))
	}
	return again
}

func shapes() map[string]func(r *rand.Rand) float64 {
	return map[string]func(r *rand.Rand) float64{
		"uniform":              func(r *rand.Rand) float64 { return r.Float64() * 100 },
		"long tail":            func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64() * 3) },
		"negative and zero":    func(r *rand.Rand) float64 { return float64(r.IntN(2001) - 1000) },
		"very small and large": func(r *rand.Rand) float64 { return math.Pow(10, r.Float64()*30-15) },
		"one value":            func(*rand.Rand) float64 { return 42 },
	}
}

func TestPercentilesAreWithinOnePercentAfterMergeAndRestart(t *testing.T) {
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			random, s := rand.New(rand.NewPCG(1, 2)), scale(t)
			var exact []float64
			merged := new(Quantiles)
			for range 7 {
				part := new(Quantiles)
				for range random.IntN(3000) + 1 {
					value := shape(random)
					exact = append(exact, value)
					part.Add(s, value)
					if random.IntN(500) == 0 {
						part = restart(t, part)
					}
				}
				merged.Merge(restart(t, part))
				merged = restart(t, merged)
			}
			slices.Sort(exact)
			for i, got := range merged.At(s, points) {
				want := exact[int(points[i]*float64(len(exact)-1))]
				require.InDelta(t, want, got, math.Abs(want)*testError*1.0001, "p%g", points[i]*100)
			}
		})
	}
}

func TestAnswersAreThoseOfTheLibrary(t *testing.T) {
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			random, s, ours := rand.New(rand.NewPCG(3, 4)), scale(t), new(Quantiles)
			m, err := mapping.NewLogarithmicMapping(testError)
			require.NoError(t, err)
			library := ddsketch.NewDDSketch(m, store.NewDenseStore(), store.NewDenseStore())
			if name == "very small and large" {
				library = ddsketch.NewDDSketch(m, store.NewSparseStore(), store.NewSparseStore())
			}
			for range 10_000 {
				value := shape(random)
				ours.Add(s, value)
				require.NoError(t, library.Add(value))
			}
			want, err := library.GetValuesAtQuantiles(points)
			require.NoError(t, err)
			require.Equal(t, want, ours.At(s, points))
		})
	}
}

func TestValuesFromEverywhereStayWithinAValueOfTheState(t *testing.T) {
	random, s, q := rand.New(rand.NewPCG(7, 8)), scale(t), new(Quantiles)
	var exact []float64
	for range 20_000 {
		value := math.Pow(10, random.Float64()*600-300) * float64(random.IntN(3)-1)
		exact = append(exact, value)
		q.Add(s, value)
	}
	require.Less(t, len(q.AppendBase(nil)), 64<<10)
	slices.Sort(exact)
	want := exact[int(0.99*float64(len(exact)-1))]
	require.InEpsilon(t, want, restart(t, q).At(s, []float64{0.99})[0], testError*1.0001)
}

// A number that cannot be read back would hold the lane whose window it is in.
func TestEveryFiniteNumberIsReadBackAtEveryError(t *testing.T) {
	numbers := []float64{
		0, math.Copysign(0, -1), 1, -1, 1e113, -1e113, 1e114, 1e200, -1e200, math.MaxFloat64, -math.MaxFloat64,
		1e-113, 1e-114, 1e-200, -1e-200, 2.3e-308, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	}
	for _, relative := range []float64{0.001, 0.002, 0.0027, 0.005, 0.01, 0.05, 0.1} {
		s, err := NewScale(relative)
		require.NoError(t, err)
		for _, number := range numbers {
			q := new(Quantiles)
			for n := range 3 * TailSize {
				q.Add(s, number)
				if n == 1 || n == 2*TailSize {
					got := restart(t, q).At(s, []float64{0.5})[0]
					require.False(t, got < 0 && number >= 0 || got > 0 && number <= 0, "%g at error %g became %g", number, relative, got)
					if size := math.Abs(number); size > 1e-113 && size < 1e113 || relative >= 0.01 && size > 1e-300 && size < 1e300 {
						require.InEpsilon(t, number, got, relative*1.0001, "at error %g", relative)
					}
				}
			}
		}
	}
}

func TestPercentilesOfEverySizeStayWithinAValueOfTheState(t *testing.T) {
	for _, relative := range []float64{0.001, 0.003, 0.01, 0.1} {
		s, err := NewScale(relative)
		require.NoError(t, err)
		random, q := rand.New(rand.NewPCG(9, 10)), new(Quantiles)
		for range 60_000 {
			if number := math.Float64frombits(random.Uint64()); !math.IsNaN(number) && !math.IsInf(number, 0) {
				q.Add(s, number)
			}
		}
		for i := range q.bins {
			q.bins[i].count = math.MaxUint64 // Far more events than there can be.
		}
		require.Less(t, len(restart(t, q).AppendBase(nil)), 64<<10, "at error %g", relative)
	}
}

func TestDistinctCountsStayWithinAValueOfTheState(t *testing.T) {
	for precision := uint8(MinPrecision); precision <= MaxPrecision; precision++ {
		random, d := rand.New(rand.NewPCG(11, uint64(precision))), new(Distinct)
		for range 150 {
			part := new(Distinct)
			for range random.IntN(4 * TailSize) {
				hash := random.Uint64()
				d.Add(precision, hash)
				part.Add(precision, random.Uint64())
			}
			if random.IntN(3) == 0 {
				require.NoError(t, d.Merge(precision, restartDistinct(t, part)))
			}
			if d.folded {
				base, err := d.AppendBase(nil)
				require.NoError(t, err)
				require.Less(t, len(base), 64<<10, "at precision %d", precision)
			}
		}
	}
}

func TestAnEmptySketchHasNoPercentiles(t *testing.T) {
	for _, got := range new(Quantiles).At(scale(t), points) {
		require.True(t, math.IsNaN(got))
	}
	require.Zero(t, new(Distinct).Count())
}

func TestDistinctCountsAreExactWhileFewAndCloseWhenMany(t *testing.T) {
	for _, n := range []int{1, 10, TailSize - 1, TailSize, 1000, 20_000, 200_000} {
		random := rand.New(rand.NewPCG(5, uint64(n)))
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = random.Uint64()
		}
		merged := new(Distinct)
		for part := range slices.Chunk(hashes, n/3+1) {
			d := new(Distinct)
			for range 2 {
				for _, hash := range part {
					d.Add(14, hash)
				}
			}
			require.NoError(t, merged.Merge(14, restartDistinct(t, d)))
		}
		count := restartDistinct(t, merged).Count()
		require.InDelta(t, n, float64(count), float64(n)*0.025, "%d things", n)
		if n < TailSize {
			require.EqualValues(t, n, count)
		}
	}
}

func restartDistinct(t testing.TB, d *Distinct) *Distinct {
	again := new(Distinct)
	rest, err := again.ReadTail(d.AppendTail(nil))
	require.NoError(t, err)
	require.Empty(t, rest)
	if d.folded {
		base, err := d.AppendBase(nil)
		require.NoError(t, err)
		require.True(t, again.Unloaded())
		require.NoError(t, again.LoadBase(base))
	}
	require.Equal(t, d.Count(), again.Count())
	return again
}

func FuzzReadingDamagedSketches(f *testing.F) {
	s, _ := NewScale(testError)
	q, d := new(Quantiles), new(Distinct)
	for i := range 100 {
		q.Add(s, float64(i))
		d.Add(14, uint64(i)*0x9e3779b97f4a7c15)
	}
	base, _ := d.AppendBase(nil)
	for _, seed := range [][]byte{q.AppendTail(nil), q.AppendBase(nil), d.AppendTail(nil), base, nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var q Quantiles
		if _, err := q.ReadTail(b); err == nil {
			var again Quantiles
			_, err := again.ReadTail(q.AppendTail(nil))
			require.NoError(t, err)
			require.Equal(t, q, again)
		}
		if err := q.LoadBase(b); err == nil {
			var again Quantiles
			require.NoError(t, again.LoadBase(q.AppendBase(nil)))
			require.Equal(t, q.bins, again.bins)
			q.At(s, points)
		}
		var d Distinct
		_, _ = d.ReadTail(b)
		if err := d.LoadBase(b); err == nil {
			d.Count()
		}
	})
}
