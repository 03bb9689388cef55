package collector

import (
	"context"
	"errors"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
)

// errBusy says that the bytes in flight left no room in time.
var errBusy = errors.New("too many bytes are in flight")

// allowance is what one request holds of the bytes in flight.
type allowance struct {
	shared *fair.Share
	tenant string
	suite  string // "" as long as nobody knows whose it is
	weight float64
	held   int64
	now    func() time.Time
	// waited is how long it waited for room.
	waited time.Duration
}

func (d *door) allowance() *allowance { return &allowance{shared: d.inFlight, now: d.now} }

// take waits for room as long as ctx lets it.
func (a *allowance) take(ctx context.Context, n int64) error {
	began := a.now()
	err := a.shared.Acquire(ctx, a.tenant, a.weight, n)
	a.waited += a.now().Sub(began)
	if err != nil {
		return errBusy
	}
	a.held += n
	return nil
}

func (a *allowance) giveBack() {
	if a.held > 0 {
		a.shared.Release(a.tenant, a.held)
	}
	a.held = 0
}
