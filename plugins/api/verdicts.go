package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	maxVerdicts = 1000
	// heartbeat keeps proxies from closing a silent stream, and finds readers that have gone.
	heartbeat = 15 * time.Second
	// changedInterval bounds how often a page is told that something was committed.
	changedInterval = 2 * time.Second
	writeDeadline   = 10 * time.Second
)

// verdicts lists events in log order.
func (s *site) verdicts(c *call) error {
	values := c.r.URL.Query()
	q := query.VerdictQuery{SuiteKey: c.key, After: values.Get("after")}
	var err error
	if q.Limit, err = c.number("limit", 100, maxVerdicts); err != nil {
		return err
	}
	if text := values.Get("test_id"); text != "" {
		if q.TestID, err = testengine.ParseID(text); err != nil {
			return &query.FieldError{Field: "test_id", Reason: fmt.Sprintf("%q is no test's id", text)}
		}
	}
	list, err := s.store.Verdicts(c.ctx, q)
	if errors.Is(err, query.ErrNotFound) && q.After != "" {
		return &query.FieldError{Field: "after", Reason: fmt.Sprintf("no verdict has the id %q (any more); begin without after", q.After)}
	}
	if err != nil {
		return err
	}
	if list == nil {
		list = []testengine.Verdict{}
	}
	return c.json(http.StatusOK, list)
}

// verdictStream sends events as they are committed: "verdict" with the verdict
// as data and its id as the event's id, and "changed" when anything else was.
func (s *site) verdictStream(c *call) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return &problem{http.StatusServiceUnavailable, "too many readers follow at a time; poll …/verdicts?after=ID instead"}
	}
	s.metrics.streams.Set(int64(len(s.streams)))
	defer func() { s.metrics.streams.Set(int64(len(s.streams) - 1)) }()

	f := follower{site: s, call: c, out: http.NewResponseController(c.w)}
	changed := s.store.Follow()
	if err := f.begin(); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	c.w.WriteHeader(http.StatusOK)
	if err := f.write("retry: 2000\n\n"); err != nil {
		return nil // the reader has gone
	}
	if err := f.sendVerdicts(); err != nil {
		return nil // the reader has gone
	}
	f.run(changed)
	return nil
}

// follower is one reader's place in the log of verdicts.
type follower struct {
	site    *site
	call    *call
	out     *http.ResponseController
	after   string
	toldAt  time.Time
	pending bool
}

// begin finds where to go on: behind the last event the reader has seen
// (Last-Event-ID, after), or behind the newest one.
func (f *follower) begin() error {
	f.after = f.call.r.Header.Get("Last-Event-ID")
	if f.after == "" {
		f.after = f.call.r.URL.Query().Get("after")
	}
	if f.after != "" {
		_, err := f.site.store.Verdicts(f.call.ctx, query.VerdictQuery{SuiteKey: f.call.key, After: f.after, Limit: 1})
		if err == nil || !errors.Is(err, query.ErrNotFound) {
			return err
		}
	}
	newest, err := f.site.store.Verdicts(f.call.ctx, query.VerdictQuery{SuiteKey: f.call.key, Limit: 1, Newest: true})
	if err == nil && len(newest) > 0 {
		f.after = newest[0].ID
	} else {
		f.after = ""
	}
	return err
}

func (f *follower) run(changed <-chan struct{}) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	late := time.NewTicker(changedInterval)
	defer late.Stop()
	for {
		var err error
		select {
		case <-f.call.ctx.Done():
			return
		case <-f.site.closed:
			return
		case <-beat.C:
			err = f.write(": still here\n\n")
		case <-late.C:
			if f.pending {
				err = f.tellChanged()
			}
		case <-changed:
			if !f.pause() {
				return
			}
			changed = f.site.store.Follow()
			err = f.send()
		}
		if err != nil {
			return
		}
	}
}

// pause lets commits that come fast be looked at together.
func (f *follower) pause() bool {
	timer := time.NewTimer(f.site.config.streamInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.call.ctx.Done():
	case <-f.site.closed:
	}
	return false
}

// send writes what was committed.
func (f *follower) send() error {
	if err := f.sendVerdicts(); err != nil {
		return err
	}
	if f.site.now().Sub(f.toldAt) >= changedInterval {
		return f.tellChanged()
	}
	f.pending = true
	return nil
}

// sendVerdicts writes the verdicts behind the last one. A store that cannot
// answer now is asked again at the next commit.
func (f *follower) sendVerdicts() error {
	for {
		list, err := f.site.store.Verdicts(f.call.ctx, query.VerdictQuery{SuiteKey: f.call.key, After: f.after, Limit: maxVerdicts})
		if err != nil {
			return f.call.ctx.Err()
		}
		for i := range list {
			data, err := json.Marshal(&list[i])
			if err != nil {
				return err
			}
			if err := f.write("event: verdict\nid: " + list[i].ID + "\ndata: " + string(data) + "\n\n"); err != nil {
				return err
			}
			f.after = list[i].ID
		}
		if len(list) < maxVerdicts {
			return nil
		}
	}
}

func (f *follower) tellChanged() error {
	f.toldAt, f.pending = f.site.now(), false
	return f.write("event: changed\ndata: {}\n\n")
}

func (f *follower) write(text string) error {
	// Listeners may bound a whole answer; a stream bounds each write instead.
	_ = f.out.SetWriteDeadline(time.Now().Add(writeDeadline))
	if _, err := f.call.w.Write([]byte(text)); err != nil {
		return err
	}
	return f.out.Flush()
}
