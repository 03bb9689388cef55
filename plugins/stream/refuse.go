package stream

import (
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

var refusals = struct {
	first sync.Once
	any   chan struct{}
}{any: make(chan struct{})}

// Refusals is closed once a component has ended its stream because going on
// would lose or double something. The process should then end, and not as if all
// were well: an output inside of another one cannot end its stream by itself.
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

// staying says that refused inputs stay, not connected.
var staying atomic.Bool

// StayWhenRefused has inputs that are refused stay, not connected, instead of
// ending their stream: a process of several streams then names them at /ready,
// where a stream that has ended counts as one that is done.
func StayWhenRefused() { staying.Store(true) }

// refuse says why the stream ends. Whoever calls it ends what it has of the stream.
func refuse(logger *service.Logger, why error) {
	logger.Errorf("The stream ends: %v", why)
	refusals.first.Do(func() { close(refusals.any) })
}
