package collector

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/buffers"
	"github.com/connect-testengine/connect-testengine/plugins/collector/handoff"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// door answers POST /v1/uploads: who is it, is it sound, is it durable, in this
// order. It hands uploads to the input and answers when the input's ack comes.
type door struct {
	config    doorConfig
	directory atomic.Pointer[directory]
	base      func() string
	inspector *inspector
	now       func() time.Time
	log       *service.Logger
	metrics   *doorMetrics

	buffers  *buffers.Pool // nil unless bodies are used again
	inFlight *fair.Share
	gate     *gate
	desk     *handoff.Desk[*delivery]

	connected  atomic.Bool
	complained atomic.Int64 // unix seconds
	refusals   refusalLog
}

// delivery is one message on its way into the stream.
type delivery struct {
	message *service.Message
	// body is given back to store with the answer, unless store is nil.
	body  []byte
	store *buffers.Pool
}

func newDoor(config doorConfig, res *service.Resources, lag func() time.Duration) *door {
	d := &door{
		config: config,
		now:    time.Now,
		log:    res.Logger(),
		desk:   handoff.New[*delivery](),
	}
	d.inFlight = fair.New(fair.Options{
		Capacity: func() int64 { return config.inFlightBytes },
		Spare:    func() int64 { return min(config.bodyBytes, config.inFlightBytes/2) },
		Now:      d.now,
	})
	if config.reuseBodies {
		d.buffers = new(buffers.Pool)
	}
	d.metrics = newDoorMetrics(res.Metrics())
	d.inspector = newInspector(d.now)
	d.gate = newGate(config, d.now, lag, func() []string {
		if known := d.directory.Load(); known != nil {
			return known.Issuers()
		}
		return nil
	})
	return d
}

// ready is the door's check for /ready.
func (d *door) ready() error {
	select {
	case <-d.desk.Stopped():
		return errors.New("the front door is shutting down")
	default:
	}
	if !d.connected.Load() {
		return errors.New("the front door is starting")
	}
	return nil
}

// ServeHTTP takes one upload.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.serve(w, r, uploadsWay{}) }

func (d *door) serve(w http.ResponseWriter, r *http.Request, by way) {
	started := d.now()
	d.metrics.begin()
	room := d.allowance()
	accepted, size, err := d.take(r, room, by)
	d.metrics.hold(-room.held)
	room.giveBack()
	if err == nil {
		took := d.now().Sub(started)
		w.Header().Set("Server-Timing", serverTiming(took, accepted.Waited))
		by.accept(w, r, accepted)
		d.metrics.end(resultAccepted, size, took)
		return
	}
	refused := d.refusal(err)
	by.refuse(w, r, refused)
	d.metrics.end(refused.result, 0, 0)
	if room.suite != "" {
		if line := d.refusals.line(d.now(), room.tenant+"/"+room.suite, refused); line != "" {
			d.log.Warn(line)
		}
	}
	linger(w, r)
}

// serverTiming tells whoever waits, in milliseconds, how long the request was
// here, from its header to its answer, and how much of that it waited for others.
func serverTiming(took, waited time.Duration) string {
	milliseconds := func(d time.Duration) string { return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64) }
	return "door;dur=" + milliseconds(took) + ", wait;dur=" + milliseconds(waited)
}

// take does everything between the header and the answer.
func (d *door) take(r *http.Request, room *allowance, by way) (*answer.Accepted, int, error) {
	if r.Method != http.MethodPost {
		return nil, 0, notPosted("uploads")
	}
	who, err := d.authorize(r)
	if err != nil {
		return nil, 0, err
	}
	room.tenant, room.suite, room.weight = who.Org, who.Suite, who.Organization.Weight
	kind, err := by.kind(r.Header)
	if err != nil {
		return nil, 0, err
	}
	if err := d.withinQuota(&who, r.ContentLength); err != nil {
		return nil, 0, err
	}
	body, err := d.read(r, room, &who, who.Limits.BodyBytes)
	if err != nil {
		return nil, 0, err
	}
	came := d.now()
	permit, err := d.admit(r.Context(), &who, limiter.Results)
	if err != nil {
		d.buffers.Put(body)
		return nil, 0, err
	}
	waited := room.waited + d.now().Sub(came)
	accepted, size, err := d.work(r.Context(), &who, kind.guessed(body), body, waited)
	permit.Done(err == nil)
	return accepted, size, err
}

// work checks a body and hands it to the stream.
func (d *door) work(ctx context.Context, who *tenant.Tenant, kind bodyKind, body []byte, waited time.Duration) (*answer.Accepted, int, error) {
	seen, err := d.inspect(ctx, who, kind, body)
	if err != nil {
		d.buffers.Put(body)
		return nil, 0, err
	}
	size, uploadID := len(body), seen.uploadID
	if err := d.deliver(who.Org, d.message(who, kind, uploadID, body, waited), body); err != nil {
		return nil, 0, err
	}
	seed := testengine.SuiteSeed(who.Org, who.Suite)
	accepted := &answer.Accepted{
		UploadID: uploadID,
		RunID:    testengine.RunID(seed, seen.runKeyOr(uploadID)),
		Queued:   seen.executions,
		Skipped:  seen.rejected,
		Waited:   waited,
		SuiteURL: answer.SuiteURL(d.base(), who.Org, who.Suite),
	}
	if seen.why != "" {
		accepted.Errors = []string{seen.why}
	}
	return accepted, size, nil
}

// inspect does what takes a processor, in the tenant's turn.
func (d *door) inspect(ctx context.Context, who *tenant.Tenant, kind bodyKind, body []byte) (summary, error) {
	done, err := d.turn(ctx, who)
	if err != nil {
		return summary{}, err
	}
	defer done()
	seen, err := d.inspector.inspect(kind, body, tighter(d.config.decodedBytes, who.Limits.DecodedBytes))
	if err == nil {
		seen.uploadID = message.UploadID(who.Org, who.Suite, body)
	}
	return seen, err
}

// turn waits for a processor, no longer than in_flight_wait.
func (d *door) turn(ctx context.Context, who *tenant.Tenant) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.inFlightWait)
	defer cancel()
	if done, err = d.inspector.turn(ctx, who); err != nil {
		return nil, overloaded(errBusy.Error(), d.config.retryAfter)
	}
	return done, nil
}

// read reads a body of at most so many bytes (0 is what the door takes), in the
// tenant's turns and as far as there is room.
func (d *door) read(r *http.Request, room *allowance, who *tenant.Tenant, most int64) ([]byte, error) {
	select {
	case <-d.desk.Stopped():
		return nil, overloaded("the server is shutting down", d.config.retryAfter)
	default:
	}
	wait, cancel := context.WithTimeout(r.Context(), d.config.inFlightWait)
	defer cancel()
	limit := tighter(d.config.bodyBytes, most)
	done := readInTurns(r, d.inspector.turnsOf(r.Context(), who))
	defer done()
	body, err := d.buffers.Read(r.Body, r.ContentLength, limit, func(n int64) error {
		if err := room.take(wait, n); err != nil {
			return overloaded(err.Error(), d.config.retryAfter)
		}
		d.metrics.hold(n)
		return nil
	})
	var refused *refusal
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &refused):
		return nil, refused
	case errors.Is(err, buffers.ErrTooLarge):
		return nil, tooLarge("as sent", limit)
	}
	return nil, unreadable(err)
}

// message sets all metadata itself: nothing a client sends becomes metadata but
// the two headers that say how to read the body.
func (d *door) message(who *tenant.Tenant, kind bodyKind, uploadID string, body []byte, waited time.Duration) *service.Message {
	m := service.NewMessage(body)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, who.Org)
	m.MetaSetMut(testengine.MetaSuite, who.Suite)
	m.MetaSetMut(testengine.MetaDefaultBranch, who.DefaultBranch)
	m.MetaSetMut(testengine.MetaUploadID, uploadID)
	m.MetaSetMut(testengine.MetaReceivedAt, d.now().UnixMilli())
	m.MetaSetMut(testengine.MetaWaited, waited.Milliseconds())
	m.MetaSetMut(testengine.MetaContentType, kind.contentType)
	if kind.encoding != unpack.None {
		m.MetaSetMut(testengine.MetaContentEncoding, string(kind.encoding))
	}
	if d.buffers == nil {
		m.MetaSetMut(testengine.MetaBodyGiven, true)
	}
	return m
}

// deliver hands a message to ReadBatch and waits for its ack. An upload that was
// not taken is stored nowhere; one whose ack does not come may have been.
func (d *door) deliver(org string, m *service.Message, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.config.answerTimeout)
	defer cancel()
	err := d.desk.Offer(ctx, org, &delivery{message: m, body: body, store: d.buffers})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, handoff.ErrStopped):
		return overloaded("the server is shutting down", d.config.retryAfter)
	case errors.Is(err, handoff.ErrNotTaken):
		return overloaded("the log is behind", d.config.retryAfter)
	}
	d.complain(err)
	return notStored(d.config.retryAfter)
}

// complain says at most once a second why uploads are sent back: a full disk
// refuses thousands of them.
func (d *door) complain(err error) {
	now := d.now().Unix()
	if last := d.complained.Load(); last != now && d.complained.CompareAndSwap(last, now) {
		d.log.Warnf("Nothing was stored of what came in, clients are told to send it again: %v", err)
	}
}

func tighter(limit, own int64) int64 {
	if own > 0 {
		return min(limit, own)
	}
	return limit
}

// linger reads some of a refused body: a client that is still sending when the
// connection closes sees a reset instead of the answer.
func linger(w http.ResponseWriter, r *http.Request) {
	const (
		most    = 16 << 20
		longest = 2 * time.Second
	)
	if r.Header.Get("Expect") != "" || r.Body == http.NoBody {
		return
	}
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(longest)) != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, r.Body, most); errors.Is(err, io.EOF) {
		_ = control.SetReadDeadline(time.Time{})
	}
}
