package buffers

import (
	"errors"
	"io"
)

// chunkedStart is the first buffer of a body that does not announce its length.
const chunkedStart = 64 << 10

// ErrTooLarge says that a body is larger than it may be.
var ErrTooLarge = errors.New("the body is too large")

// Read reads a body whole into a buffer of the pool. One that announces its
// length (from 0) is read straight into a buffer of that size; others grow theirs
// and pay for it as they go: take is told of all room before it is used, and its
// error ends the reading. Errors are take's and r's as they are, or ErrTooLarge.
func (p *Pool) Read(r io.Reader, length, limit int64, take func(int64) error) ([]byte, error) {
	if length > limit {
		return nil, ErrTooLarge
	}
	if length < 0 {
		return p.readUnannounced(r, limit, take)
	}
	if err := take(length); err != nil {
		return nil, err
	}
	body := p.Get(length)[:length]
	if _, err := io.ReadFull(r, body); err != nil {
		p.Put(body)
		return nil, err
	}
	return body, nil
}

func (p *Pool) readUnannounced(r io.Reader, limit int64, take func(int64) error) ([]byte, error) {
	size := min(int64(chunkedStart), limit+1)
	if err := take(size); err != nil {
		return nil, err
	}
	body := p.Get(size)
	for {
		n, err := r.Read(body[len(body):size])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			err = ErrTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err == nil && int64(len(body)) == size:
			grown := min(2*size, limit+1)
			if err = take(grown - size); err == nil {
				larger := append(p.Get(grown), body...)
				p.Put(body)
				body, size = larger, grown
			}
		}
		if err != nil {
			p.Put(body)
			return nil, err
		}
	}
}
