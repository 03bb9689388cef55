package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// behind plays the log behind a spool: it can be away, and counts what it has.
type behind struct {
	server *httptest.Server
	away   atomic.Bool
	// pause is how long it takes for each, one at a time; set before it is asked.
	pause time.Duration

	mu    sync.Mutex
	has   map[string]int // Deliveries by upload id.
	order []int64        // Offsets as they came first.
	known map[int64]bool
}

func newBehind(t *testing.T) *behind {
	b := &behind{has: map[string]int{}, known: map[int64]bool{}}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	return b
}

func (b *behind) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if b.away.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	offset, _ := strconv.ParseInt(r.Header.Get("Offset"), 10, 64)
	b.mu.Lock()
	defer b.mu.Unlock()
	time.Sleep(b.pause)
	if r.Header.Get("Kind") == "upload" {
		b.has[r.Header.Get("Upload-Id")]++
	}
	if !b.known[offset] {
		b.known[offset] = true
		b.order = append(b.order, offset)
	}
}

func (b *behind) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.has)
}

func (b *behind) options(t *testing.T) harness.Options {
	return harness.Options{
		Pipeline: "tests/faults/spool.yaml", Data: t.TempDir(), Env: []string{"TESTENGINE_BEHIND=" + b.server.URL},
	}
}

// awayFor is how long the log behind is away.
func awayFor() time.Duration {
	if seconds, err := strconv.Atoi(os.Getenv("TESTENGINE_AWAY_SECONDS")); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return 15 * time.Second
}

// liveRate is how many uploads a second come in, of 1,700 executions each: 100 K executions a second.
const liveRate = 60

func TestALogBehindThatIsAwayRefusesAndLosesNothing(t *testing.T) {
	b := newBehind(t)
	process := harness.Start(t, b.options(t))
	process.WaitReady(time.Minute)
	told := &ledger{sent: map[string]int{}, accepted: map[string]int{}}

	b.away.Store(true)
	outage, over := context.WithTimeout(t.Context(), awayFor())
	defer over()
	steady(outage, t, process, told)
	require.Empty(t, told.unanswered, "nothing is refused")
	require.Zero(t, b.count())
	backlog := len(told.accepted)
	require.Positive(t, backlog)

	b.away.Store(false)
	back := time.Now()
	var live sync.WaitGroup
	drained, enough := context.WithCancel(t.Context())
	defer enough()
	live.Go(func() { steady(drained, t, process, told) })
	process.Eventually(max(time.Minute, awayFor()), "the backlog is behind", func() bool { return b.count() >= backlog })
	took := time.Since(back)
	enough()
	live.Wait()
	process.Eventually(time.Minute, "everything is behind", func() bool { return b.count() >= len(told.accepted) })
	require.Empty(t, told.unanswered, "nothing is refused while it is drained")
	requireBehind(t, b, told)
	rate := awayFor().Seconds() / took.Seconds()
	t.Logf("%d uploads in %s away, drained in %s: %.1f times the live rate", backlog, awayFor(), took.Round(time.Millisecond), rate)
	require.GreaterOrEqual(t, rate, 3.0, "times the live rate")
}

// A log behind that is never away, but takes a third of what comes: the door lets
// few uploads at a time wait for it, so that none of them waits for long there. It
// is those before the door that wait.
func TestALogBehindThatIsSlowRefusesNothingAndKeepsNobodyWaiting(t *testing.T) {
	b := newBehind(t)
	b.pause = 10 * time.Millisecond
	process := harness.Start(t, b.options(t))
	process.WaitReady(time.Minute)
	told := &ledger{sent: map[string]int{}, accepted: map[string]int{}}
	var clients sync.WaitGroup
	var longest atomic.Int64
	beat := time.NewTicker(b.pause / 3)
	defer beat.Stop()
	for range 1500 {
		upload := another(bodies.Small)
		clients.Go(func() {
			told.send(upload)
			asked := time.Now()
			status, answer := process.Upload(t.Context(), upload.Body)
			told.note(upload, status, answer)
			for took := int64(time.Since(asked)); took > longest.Load(); {
				longest.CompareAndSwap(longest.Load(), took)
			}
		})
		<-beat.C
	}
	clients.Wait()
	t.Logf("%d uploads, of which %d are behind; the longest answer took %s", len(told.accepted), b.count(), time.Duration(longest.Load()))
	require.Empty(t, told.unanswered, "nothing is refused")
	require.Less(t, time.Duration(longest.Load()), 5*time.Second, "spill_after is a second")
	process.Eventually(time.Minute, "everything is behind", func() bool { return b.count() >= len(told.accepted) })
	requireBehind(t, b, told)
}

func TestASpoolThatIsKilledLosesNothing(t *testing.T) {
	b := newBehind(t)
	options := b.options(t)
	told := &ledger{sent: map[string]int{}, accepted: map[string]int{}}
	uploads := make(chan world.Upload)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 2))
	go write(t.Context(), t, seed, told, uploads)
	for life := range 6 {
		b.away.Store(life%3 != 2)
		process := harness.Start(t, options)
		time.AfterFunc(time.Duration(500+dice.IntN(2500))*time.Millisecond, process.Kill)
		feed(t.Context(), process, uploads, told)
	}
	b.away.Store(false)
	process := harness.Start(t, options)
	process.WaitReady(time.Minute)
	process.Eventually(time.Minute, "everything is behind", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for id := range told.accepted {
			if b.has[id] == 0 {
				return false
			}
		}
		return true
	})
	require.NotEmpty(t, told.accepted)
	requireBehind(t, b, told)
	t.Logf("6 kills, %d uploads", len(told.accepted))
}

func requireBehind(t *testing.T, b *behind, told *ledger) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range told.accepted {
		require.Positive(t, b.has[id], "upload %s was answered 202 and is not behind", id)
	}
	for id := range b.has {
		require.Contains(t, told.sent, id)
	}
	require.True(t, slices.IsSorted(b.order), "one suite's uploads came in order")
}

// steady sends uploads at the live rate until ctx ends, all of them other ones.
func steady(ctx context.Context, t *testing.T, process *harness.Process, told *ledger) {
	uploads := make(chan world.Upload)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for upload := range uploads {
				told.send(upload)
				status, answer := process.Upload(t.Context(), upload.Body)
				told.note(upload, status, answer)
			}
		})
	}
	beat := time.NewTicker(time.Second / liveRate)
	defer beat.Stop()
	for ctx.Err() == nil {
		uploads <- another(bodies.MB1)
		<-beat.C
	}
	close(uploads)
	senders.Wait()
}

// template is a body; at key stands its run key, which makes each copy another upload.
type template struct {
	body []byte
	key  int
}

var templates sync.Map // of template, by bodies.Kind

var copies atomic.Uint64

func another(kind bodies.Kind) world.Upload {
	made, ok := templates.Load(kind)
	if !ok {
		body, marker := bodies.Generate(1, kind), []byte(`"key":"`)
		made, _ = templates.LoadOrStore(kind, template{body, bytes.Index(body, marker) + len(marker)})
	}
	of, _ := made.(template)
	body := bytes.Clone(of.body)
	copy(body[of.key:], fmt.Sprintf("%016x", copies.Add(1)))
	return world.Upload{Body: body, Executions: kind.Executions()}
}
