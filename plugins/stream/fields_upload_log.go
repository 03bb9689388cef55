package stream

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// fieldReader reads fields and keeps the first mistake.
type fieldReader struct {
	conf *service.ParsedConfig
	err  *error
}

func (r fieldReader) keep(err error) {
	if *r.err == nil && err != nil {
		*r.err = err
	}
}

func (r fieldReader) text(name string) string {
	v, err := r.conf.FieldString(name)
	r.keep(err)
	return v
}

func (r fieldReader) number(name string) int {
	v, err := r.conf.FieldInt(name)
	r.keep(err)
	return v
}

func (r fieldReader) fraction(name string) float64 {
	v, err := r.conf.FieldFloat(name)
	r.keep(err)
	return v
}

func (r fieldReader) truth(name string) bool {
	v, err := r.conf.FieldBool(name)
	r.keep(err)
	return v
}

func (r fieldReader) duration(name string) time.Duration {
	v, err := r.conf.FieldDuration(name)
	r.keep(err)
	return v
}

func (r fieldReader) bytes(name string) int64 {
	written := r.text(name)
	v, err := humanize.ParseBytes(written)
	if err != nil {
		r.keep(fmt.Errorf("reading %s: %q is no size like 256MB", name, written))
	}
	return int64(v)
}
