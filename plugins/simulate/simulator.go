package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	truthRoute = "GET /simulator/truth"
	// truthInterval is how often the truth file is renewed once the history has been sent.
	truthInterval = 30 * time.Second
	// batchBytes ends a batch of the history before it holds batch_uploads.
	batchBytes = 4 << 20
)

// routes is what the simulator needs of the resource http_listener.
type routes interface {
	Handle(pattern string, h http.Handler) error
}

// simulator is the input ci_simulator.
type simulator struct {
	config simulatorConfig
	res    *service.Resources
	log    *service.Logger
	now    func() time.Time

	position *position
	// origin is the real time of the world's beginning, horizon the world time at which live begins.
	origin, horizon int64

	mu      sync.Mutex
	world   *world.World
	next    *world.Upload
	live    time.Time
	truthAt time.Time
}

func newSimulator(config simulatorConfig, res *service.Resources, now func() time.Time) (*simulator, error) {
	w, err := world.New(config.world)
	if err != nil {
		return nil, err
	}
	s := &simulator{config: config, res: res, log: res.Logger(), now: now, world: w}
	until := config.until.UnixMilli()
	s.origin = until - until%world.Day - int64(config.world.Days)*world.Day
	s.horizon = until - s.origin
	s.position, err = openPosition(config.positionFile, place{World: config.world, Origin: s.origin, Horizon: s.horizon})
	if err != nil {
		return nil, err
	}
	s.origin, s.horizon = s.position.Origin, s.position.Horizon
	w.SetOffset(s.origin)
	if s.position.At > 0 {
		w.Skip(s.position.At)
	}
	return s, nil
}

// Connect mounts the truth on the listener.
func (s *simulator) Connect(ctx context.Context) error {
	listener, err := fields.OptionalResource[routes](ctx, s.res, "http_listener", s.config.listener)
	if err == nil && listener != nil {
		err = listener.Handle(truthRoute, http.HandlerFunc(s.serveTruth))
	}
	if err != nil {
		return fmt.Errorf("serving the truth: %w", err)
	}
	return nil
}

// ReadBatch returns a batch of the history, or waits for the next live upload.
func (s *simulator) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err // a live upload may be due as well: nobody would take it
	}
	batch, at := s.history()
	if len(batch) == 0 {
		if s.config.liveInterval <= 0 {
			s.writeTruth()
			return nil, nil, service.ErrEndOfInput
		}
		if err := s.wait(ctx); err != nil {
			return nil, nil, err
		}
		batch, at = s.liveUpload()
	}
	delivered := s.position.sent(at)
	return batch, func(_ context.Context, err error) error {
		if err == nil {
			delivered(s.now())
		}
		return nil
	}, nil
}

// history returns uploads up to the horizon, none when it is reached.
func (s *simulator) history() (batch service.MessageBatch, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := 0
	for len(batch) < s.config.batchUploads && bytes < batchBytes {
		upload := s.peek()
		if upload.At > s.horizon {
			break
		}
		s.next = nil
		batch = append(batch, s.message(upload, s.origin+upload.At))
		bytes += len(upload.Body)
		at = upload.At
	}
	return batch, at
}

func (s *simulator) peek() *world.Upload {
	if s.next == nil {
		upload := s.world.Next()
		s.next = &upload
	}
	return s.next
}

// wait sleeps until the next live upload is due, and keeps the truth file fresh.
func (s *simulator) wait(ctx context.Context) error {
	now := s.now()
	if now.Sub(s.truthAt) >= truthInterval {
		s.writeTruth()
		s.truthAt = now
	}
	if s.live.IsZero() {
		s.live = now
	}
	s.live = s.live.Add(s.config.liveInterval)
	if s.live.Before(now) {
		s.live = now
	}
	if !pause.For(ctx, s.live.Sub(now)) {
		return ctx.Err()
	}
	return nil
}

func (s *simulator) liveUpload() (service.MessageBatch, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	upload := s.peek()
	s.next = nil
	now := s.now().UnixMilli()
	s.world.SetOffset(now - upload.At)
	return service.MessageBatch{s.message(upload, now)}, upload.At
}

func (s *simulator) message(upload *world.Upload, receivedAt int64) *service.Message {
	m := service.NewMessage(upload.Body)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, s.config.world.Organization)
	m.MetaSetMut(testengine.MetaSuite, upload.Suite)
	m.MetaSetMut(testengine.MetaDefaultBranch, "main")
	m.MetaSetMut(testengine.MetaUploadID, message.UploadID(s.config.world.Organization, upload.Suite, upload.Body))
	m.MetaSetMut(testengine.MetaReceivedAt, receivedAt)
	m.MetaSetMut(testengine.MetaContentType, "application/json")
	return m
}

// Close writes down what has been delivered, and the truth.
func (s *simulator) Close(context.Context) error {
	s.writeTruth()
	return s.position.save()
}

func (s *simulator) truth(stable bool) world.Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Truth(stable)
}

func (s *simulator) serveTruth(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(s.truth(r.URL.Query().Get("stable") == "true"))
	if err != nil {
		http.Error(w, `{"message":"the truth cannot be written down"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

func (s *simulator) writeTruth() {
	if s.config.truthFile == "" {
		return
	}
	if err := writeJSON(s.config.truthFile, s.truth(false)); err != nil {
		s.log.Warnf("Writing the truth: %v", err)
	}
}
