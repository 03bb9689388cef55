package chunk

import (
	"context"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// A delivery is one batch of the inner input. It is acknowledged when all its
// messages have come to an end, with the first error of any.
type delivery struct {
	ack service.AckFunc

	mu      sync.Mutex
	pending int
	err     error
}

// ended counts messages of the delivery that came to an end.
func (d *delivery) ended(ctx context.Context, messages int, err error) error {
	d.mu.Lock()
	d.pending -= messages
	if d.err == nil {
		d.err = err
	}
	over, err := d.pending == 0, d.err
	d.mu.Unlock()
	if !over {
		return nil
	}
	return d.ack(ctx, err)
}

// ticket is one message of a delivery.
type ticket struct {
	delivery *delivery
	message  *service.Message
}
