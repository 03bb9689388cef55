package disklog

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
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
			same := unsafe.SliceData(e.Body) == unsafe.SliceData(records[0].Body)
			require.Equal(t, test.kept, same)
			require.NoError(t, l.Close())
		})
	}
}

func TestALaneHoldsEnoughByEntriesOrByBytes(t *testing.T) {
	l := mustOpen(t, crashdisk.New(1), small())
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 50), uploadEntry("b", 1, 1, 50), uploadEntry("c", 0, 1, 5000)))
	for _, test := range []struct {
		name  string
		lane  int
		from  int64
		least Limit
		holds bool
	}{
		{"any entry", 0, 2, Limit{}, true},
		{"none in another lane", 2, 0, Limit{}, false},
		{"none behind the last", 0, 3, Limit{}, false},
		{"entries", 0, 0, Limit{Entries: 2, Bytes: 1 << 20}, true},
		{"too few entries", 0, 1, Limit{Entries: 2, Bytes: 1 << 20}, false},
		{"bytes", 0, 1, Limit{Entries: 9, Bytes: 5000}, true},
		{"too few bytes", 1, 0, Limit{Entries: 9, Bytes: 5000}, false},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.holds, l.Holds(test.lane, test.from, test.least)) })
	}
	require.NoError(t, l.Close())
}
