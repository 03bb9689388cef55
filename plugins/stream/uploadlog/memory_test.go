package uploadlog

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk/crashdisk"
)

func TestOnlyAGivenBodyIsKeptAsItIs(t *testing.T) {
	for _, test := range []struct {
		name  string
		given bool
		room  int
		kept  bool
	}{
		{"a given body", true, 0, true},
		{"a body that its owner writes to again", false, 0, false},
		{"a given body in a buffer that is much larger", true, 100, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := small()
			options.MemoryBytes = 1 << 20
			l := mustOpen(t, crashdisk.New(1), options)
			e := uploadEntry("a", 0, 1, 50)
			e.Given, e.Body = test.given, slices.Clip(e.Body)
			if test.room > 0 {
				e.Body = slices.Grow(e.Body, test.room)
			}
			require.NoError(t, appendNow(l, e))
			records, err := l.Read(0, 0, Limit{Entries: 1, Bytes: 1 << 20})
			require.NoError(t, err)
			require.Equal(t, string(e.Body), string(records[0].Body))
			require.Equal(t, test.kept, unsafe.SliceData(e.Body) == unsafe.SliceData(records[0].Body))
			require.NoError(t, l.Close())
		})
	}
}
