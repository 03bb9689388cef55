package lookup

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var (
	start = time.UnixMilli(1_000_000)
	blue  = []testengine.Tag{{Key: "a", Value: "blue"}}
)

func TestOnlyOneIsAskedToFetch(t *testing.T) {
	c := New(Options{TTL: time.Minute, NegativeTTL: time.Second, MaxEntries: 10})
	_, known, fetch := c.Get("k", start)
	require.False(t, known)
	require.True(t, fetch)
	_, known, fetch = c.Get("k", start)
	require.False(t, known)
	require.False(t, fetch)
	c.Put("k", blue, start)
	tags, known, fetch := c.Get("k", start.Add(59*time.Second))
	require.Equal(t, blue, tags)
	require.True(t, known)
	require.False(t, fetch)
}

func TestWhatHasExpiredHoldsUntilSomethingNewerIsKnown(t *testing.T) {
	c := New(Options{TTL: time.Minute, NegativeTTL: time.Second, MaxEntries: 10})
	c.Put("k", blue, start)
	later := start.Add(2 * time.Minute)
	tags, _, fetch := c.Get("k", later)
	require.Equal(t, blue, tags)
	require.True(t, fetch)
	c.Fail("k", later)
	tags, _, fetch = c.Get("k", later)
	require.Equal(t, blue, tags, "a source that is away takes nothing away")
	require.False(t, fetch)
	_, _, fetch = c.Get("k", later.Add(time.Second))
	require.True(t, fetch)
}

func TestThatThereIsNothingIsRememberedAShorterTime(t *testing.T) {
	c := New(Options{TTL: time.Minute, NegativeTTL: time.Second, MaxEntries: 10})
	c.Put("k", nil, start)
	_, known, fetch := c.Get("k", start)
	require.True(t, known)
	require.False(t, fetch)
	_, _, fetch = c.Get("k", start.Add(time.Second))
	require.True(t, fetch)
}

func TestTheCacheIsBounded(t *testing.T) {
	c := New(Options{TTL: time.Minute, NegativeTTL: time.Second, MaxEntries: 10})
	for n := range 1000 {
		key := strconv.Itoa(n)
		_, _, fetch := c.Get(key, start)
		require.True(t, fetch)
		if n%3 == 0 {
			c.Forget(key)
			continue
		}
		c.Put(key, blue, start)
		require.LessOrEqual(t, c.Len(), 10)
	}
}

func TestParse(t *testing.T) {
	tags, err := Parse([]byte(`{"tier":1,"team":{"name":"billing","oncall":null},"regions":["eu","us"],"live":true}`), "pipeline.")
	require.NoError(t, err)
	require.Equal(t, []testengine.Tag{
		{Key: "pipeline.live", Value: "true"},
		{Key: "pipeline.regions", Value: "eu,us"},
		{Key: "pipeline.team.name", Value: "billing"},
		{Key: "pipeline.tier", Value: "1"},
	}, tags)
	_, err = Parse([]byte(`[1]`), "")
	require.ErrorContains(t, err, "reading metadata")
}
