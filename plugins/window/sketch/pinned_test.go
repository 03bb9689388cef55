package sketch

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes of a state outlive the program that wrote them.
func TestTheWrittenFormIsPinned(t *testing.T) {
	s, q, d := scale(t), new(Quantiles), new(Distinct)
	for i, value := range []float64{0, 1, -1, 1000, 1e-300} {
		q.Add(s, value)
		d.Add(14, uint64(i)*0x9e3779b97f4a7c15)
	}
	require.Equal(t, "0a8080400200e60aa5b708", hex.EncodeToString(q.AppendTail(nil)))
	q.fold()
	require.Equal(t, "ffff0f0180801001ace40b01d49b0401b20501", hex.EncodeToString(q.AppendBase(nil)))
	require.Equal(t, "0a0000000000000000157c4a7fb979379e2af894fe72f36e3c3f74df7d2c6da6da54f029fde5e6dd78", hex.EncodeToString(d.AppendTail(nil)))
	d.fold(14)
	base, err := d.AppendBase(nil)
	require.NoError(t, err)
	require.Equal(t, "020e0001000000050278dde60000005100f1bbcc01e3779a036a99b4000000000000000000000000", hex.EncodeToString(base))
}
