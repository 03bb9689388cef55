// Package refusal is how a component ends its stream when going on could never go
// well: it would lose or double something, or wait for what does not come. The
// host tries an output again for ever, so the component says one sentence here,
// and the process ends.
package refusal

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

var refusals = struct {
	first sync.Once
	any   chan struct{}
}{any: make(chan struct{})}

// Refusals is closed once a component has ended its stream. The process should
// then end, and not as if all were well: an output inside of another one cannot
// end its stream by itself.
func Refusals() <-chan struct{} { return refusals.any }

// Refused says whether Refusals is closed.
func Refused() bool {
	select {
	case <-refusals.any:
		return true
	default:
		return false
	}
}

// staying says that refused inputs and outputs stay, not connected.
var staying atomic.Bool

// Stay has inputs and outputs that are refused stay, not connected, instead of
// ending their stream: a process of several streams then names them at /ready,
// where a stream that has ended counts as one that is done.
func Stay() { staying.Store(true) }

// Refuse says why the stream ends. Whoever calls it ends what it has of the stream.
func Refuse(logger *service.Logger, why error) {
	logger.Errorf("The stream ends: %v", why)
	refusals.first.Do(func() { close(refusals.any) })
}

// Connecting is what Connect does once its input or output is refused: the host
// takes the error for the end of the component. One that stays is not connected
// until the stream is told to end.
func Connecting(ctx context.Context) error {
	if !staying.Load() {
		return service.ErrEndOfInput
	}
	<-ctx.Done()
	return ctx.Err()
}

// Reading is what a read or a write does once its input or output is refused.
func Reading() error {
	if staying.Load() {
		return service.ErrNotConnected // The host connects it again.
	}
	return service.ErrEndOfInput
}
