package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestVerdictsComeInLogOrder(t *testing.T) {
	b := newBench(t, demo())
	var all []testengine.Verdict
	for after := ""; ; {
		part := decode[[]testengine.Verdict](b, dataPath+"/verdicts?limit=2&after="+after)
		if len(part) == 0 {
			break
		}
		all = append(all, part...)
		after = part[len(part)-1].ID
	}
	require.Equal(t, b.store.Events, all, "every verdict once, and its JSON is the verdict's own")
	require.NotEmpty(t, decode[[]testengine.Verdict](b, dataPath+"/verdicts?test_id="+flakyID()))
	require.Equal(t, "[]\n", b.get("/v2/analytics/organizations/local/suites/other/verdicts").Body.String(), "an array, never null")
}

// following is a reader of the stream over a real connection.
type following struct {
	t      *testing.T
	events chan event
}

type event struct{ name, id, data string }

func (b *bench) follow(query string, headers ...string) *following {
	b.t.Helper()
	server := httptest.NewServer(b.site.handler())
	b.t.Cleanup(server.Close)
	b.t.Cleanup(b.site.close) // before the server, which waits for its readers
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, server.URL+dataPath+"/verdicts/stream"+query, http.NoBody)
	require.NoError(b.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(r)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(b.t, http.StatusOK, response.StatusCode)
	require.Equal(b.t, "text/event-stream; charset=utf-8", response.Header.Get("Content-Type"))
	f := &following{t: b.t, events: make(chan event, 100)}
	go f.read(bufio.NewScanner(response.Body))
	return f
}

func (f *following) read(lines *bufio.Scanner) {
	defer close(f.events)
	var e event
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				f.events <- e
			}
			e = event{}
		}
	}
}

// next waits for an event of that name and passes by the others.
func (f *following) next(name string) event {
	f.t.Helper()
	for {
		select {
		case e, ok := <-f.events:
			require.True(f.t, ok, "the stream ended")
			if e.name == name {
				return e
			}
		case <-time.After(5 * time.Second):
			require.Fail(f.t, "no event "+name)
		}
	}
}

func add(id string) func(*querytest.Store) {
	return func(s *querytest.Store) {
		v := s.Events[0]
		v.ID = id
		s.Events = append(s.Events, v)
	}
}

func TestStreamSendsWhatIsCommitted(t *testing.T) {
	b := newBench(t, demo())
	f := b.follow("")
	b.store.Change(add("v1"))
	e := f.next("verdict")
	require.Equal(t, "v1", e.id, "what was there before is not sent")
	var v testengine.Verdict
	require.NoError(t, json.Unmarshal([]byte(e.data), &v))
	require.Equal(t, b.store.Events[len(b.store.Events)-1], v)

	b.store.Change(func(s *querytest.Store) { add("v2")(s); add("v3")(s) })
	require.Equal(t, "v2", f.next("verdict").id)
	require.Equal(t, "v3", f.next("verdict").id)
}

func TestStreamGoesOnWhereTheReaderWas(t *testing.T) {
	b := newBench(t, demo())
	b.store.Change(func(s *querytest.Store) { add("v1")(s); add("v2")(s) })
	f := b.follow("", "Last-Event-ID", "v1")
	require.Equal(t, "v2", f.next("verdict").id)

	f = b.follow("?after=gone")
	b.store.Change(add("v3"))
	require.Equal(t, "v3", f.next("verdict").id, "an id that is gone begins at the newest")
}

func TestStreamTellsThatSomethingWasCommitted(t *testing.T) {
	b := newBench(t, demo())
	f := b.follow("")
	b.store.Change(func(*querytest.Store) {})
	f.next("changed")
}

func TestStreamsAreBounded(t *testing.T) {
	b := newBench(t, demo())
	b.follow("")
	b.follow("")
	w := b.get(dataPath + "/verdicts/stream")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, message(t, w), "poll …/verdicts?after=ID")
}

func TestCloseEndsStreams(t *testing.T) {
	b := newBench(t, demo())
	f := b.follow("")
	b.site.close()
	b.site.close() // twice is once
	for range f.events {
		continue
	}
	require.Equal(t, http.StatusServiceUnavailable, b.get(dataPath+"/tests").Code)
}
