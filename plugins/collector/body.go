package collector

import (
	"context"
	"errors"
	"io"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
)

// chunkedStart is the first buffer of a body that does not announce its length.
const chunkedStart = 64 << 10

// errBusy says that the bytes in flight left no room in time.
var errBusy = errors.New("too many bytes are in flight")

// allowance is what one request holds of the bytes in flight.
type allowance struct {
	shared *fair.Share
	tenant string
	weight float64
	held   int64
}

// take waits for room as long as ctx lets it.
func (a *allowance) take(ctx context.Context, n int64) error {
	if err := a.shared.Acquire(ctx, a.tenant, a.weight, n); err != nil {
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

// readBody reads a body whole. One that announces its length is read straight
// into a buffer of that size; others grow theirs and pay for it as they go.
func (b *buffers) readBody(r io.Reader, length, limit int64, take func(int64) error) ([]byte, error) {
	if length > limit {
		return nil, tooLarge("as sent", limit)
	}
	if length >= 0 {
		if err := take(length); err != nil {
			return nil, err
		}
		body := b.get(length)[:length]
		if _, err := io.ReadFull(r, body); err != nil {
			b.put(body)
			return nil, unreadable(err)
		}
		return body, nil
	}
	size := min(int64(chunkedStart), limit+1)
	if err := take(size); err != nil {
		return nil, err
	}
	body := b.get(size)
	for {
		n, err := r.Read(body[len(body):size])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, tooLarge("as sent", limit)
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, unreadable(err)
		}
		if int64(len(body)) < size {
			continue
		}
		grown := min(2*size, limit+1)
		if err := take(grown - size); err != nil {
			return nil, err
		}
		larger := append(b.get(grown), body...)
		b.put(body)
		body, size = larger, grown
	}
}
