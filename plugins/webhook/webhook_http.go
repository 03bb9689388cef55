// Package webhook is the input webhook_http: webhooks of any sender on the port
// of an http_listener.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/collector/buffers"
	"github.com/connect-testengine/connect-testengine/plugins/collector/handoff"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/webhook/replay"
)

const (
	inputType    = "webhook_http"
	listenerType = "http_listener"

	metaPath = "webhook_path"
	metaID   = "webhook_id"
)

func init() {
	service.MustRegisterBatchInput(inputType, webhookSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			config, err := configFromParsed(conf)
			if err != nil {
				return nil, err
			}
			i := newInput(config, res)
			return i, i.mount(res)
		})
}

// listener is what is needed of the resource http_listener.
type listener interface {
	Handle(pattern string, handler http.Handler) error
}

// input is the component: requests on one side, the stream on the other.
type input struct {
	config   config
	buffers  *buffers.Pool // nil unless bodies are used again
	desk     *handoff.Desk[*service.Message]
	inFlight *semaphore.Weighted
	replays  *replay.Window
	results  *service.MetricCounter
	log      *service.Logger
	now      func() time.Time
	watched  sync.Once
}

func newInput(config config, res *service.Resources) *input {
	i := &input{
		config:   config,
		desk:     handoff.New[*service.Message](),
		inFlight: semaphore.NewWeighted(config.maxInFlight),
		replays:  replay.New(config.window, config.remembered),
		results:  res.Metrics().NewCounter("testengine_webhooks_total", "result"),
		log:      res.Logger(),
		now:      time.Now,
	}
	if config.reuseBodies {
		i.buffers = new(buffers.Pool)
	}
	if config.token == "" && config.verifier == nil {
		i.log.Warnf("Anybody who reaches %s may send webhooks: set %s or %s", config.path, wfToken, wfSignature)
	}
	return i
}

func (i *input) mount(res *service.Resources) error {
	found, err := fields.Resource[listener](context.Background(), res, listenerType, i.config.listener)
	if err != nil {
		return err
	}
	return found.Handle(i.config.path, i)
}

// Connect implements service.BatchInput. The route is mounted already.
func (*input) Connect(context.Context) error { return nil }

// ReadBatch implements service.BatchInput.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	// ctx ends when the stream stops; from then on nothing is taken.
	i.watched.Do(func() { context.AfterFunc(ctx, i.desk.Stop) })
	taken, err := i.desk.Take(ctx, func(taken []*handoff.Offer[*service.Message]) bool { return len(taken) < i.config.batch })
	if errors.Is(err, handoff.ErrStopped) {
		return nil, nil, service.ErrEndOfInput
	}
	if err != nil {
		return nil, nil, err
	}
	batch := make(service.MessageBatch, len(taken))
	for n, offer := range taken {
		batch[n] = offer.Item
	}
	return batch, func(_ context.Context, err error) error {
		for _, offer := range taken {
			offer.Acknowledge(err)
		}
		return nil
	}, nil
}

// Close implements service.BatchInput. The stream has sent its last ack.
func (i *input) Close(context.Context) error {
	i.desk.Close()
	return nil
}

// admitted says whether the request presents the path's token. Hashes are
// compared, so that neither content nor length shows in the time.
func (i *input) admitted(presented string) bool {
	if i.config.token == "" {
		return true
	}
	want, got := sha256.Sum256([]byte(i.config.token)), sha256.Sum256([]byte(presented))
	return hmac.Equal(want[:], got[:])
}

// message sets all metadata itself.
func (i *input) message(r *http.Request, id string, body []byte, waited time.Duration) *service.Message {
	m := service.NewMessage(body)
	for _, name := range i.config.headers {
		if value := r.Header.Get(name); value != "" {
			m.MetaSetMut(name, value)
		}
	}
	m.MetaSetMut(metaPath, i.config.path)
	if id != "" {
		m.MetaSetMut(metaID, id)
	}
	m.MetaSetMut(testengine.MetaReceivedAt, i.now().UnixMilli())
	m.MetaSetMut(testengine.MetaWaited, waited.Milliseconds())
	m.MetaSetMut(testengine.MetaContentType, r.Header.Get("Content-Type"))
	return m
}
