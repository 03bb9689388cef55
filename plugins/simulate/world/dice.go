package world

import (
	"math"
	"math/rand/v2"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// dice is a source of chance that is the same everywhere for the same seed.
type dice struct{ pcg rand.PCG }

// newDice returns the dice that belong to these numbers and to no other.
func newDice(numbers ...uint64) *dice {
	d := &dice{}
	d.pcg.Seed(mix(numbers...), 42)
	return d
}

// mix makes one number of several; their order matters.
func mix(numbers ...uint64) uint64 {
	h := uint64(0)
	for _, number := range numbers {
		h = testengine.HashUint(h, number)
	}
	return h
}

// share turns a mixed number into a fraction in [0, 1).
func share(mixed uint64) float64 { return float64(mixed>>11) / (1 << 53) }

func (d *dice) bits() uint64             { return d.pcg.Uint64() }
func (d *dice) float() float64           { return share(d.pcg.Uint64()) }
func (d *dice) chance(p float64) bool    { return p > 0 && d.float() < p }
func (d *dice) int(n int) int            { return int(d.pcg.Uint64() % uint64(n)) }
func (d *dice) between(a, b int64) int64 { return a + int64(d.float()*float64(b-a)) }

// exponential returns a waiting time with the given mean.
func (d *dice) exponential(mean float64) float64 { return -math.Log(1-d.float()) * mean }

// logUniform returns a number between low and high, small ones as likely as great ones.
func (d *dice) logUniform(low, high float64) float64 {
	return low * math.Pow(high/low, d.float())
}

func pick[T any](d *dice, list []T) T { return list[d.int(len(list))] }
