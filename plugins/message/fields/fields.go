// Package fields reads the fields of a component's configuration and keeps the
// first mistake, so that a component asks for all of them and looks once.
package fields

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// Reader reads fields by their path. After a mistake what it gives means nothing.
type Reader struct {
	conf *service.ParsedConfig
	err  *error
}

// Into reads the fields of a parsed configuration; err becomes the first mistake.
func Into(err *error, conf *service.ParsedConfig) Reader { return Reader{conf: conf, err: err} }

// Keep keeps err when it is the first mistake.
func (r Reader) Keep(err error) {
	if *r.err == nil {
		*r.err = err
	}
}

// Within reads the fields of an object; a mistake there is one here.
func (r Reader) Within(path ...string) Reader {
	return Reader{conf: r.conf.Namespace(path...), err: r.err}
}

// Each reads a list of objects; a mistake in one is one here.
func (r Reader) Each(path ...string) []Reader {
	list := read(r, r.conf.FieldObjectList, path)
	readers := make([]Reader, len(list))
	for i, conf := range list {
		readers[i] = Reader{conf: conf, err: r.err}
	}
	return readers
}

// Text is a string.
func (r Reader) Text(path ...string) string { return read(r, r.conf.FieldString, path) }

// Interpolated is a string that may hold interpolations of a message.
func (r Reader) Interpolated(path ...string) *service.InterpolatedString {
	return read(r, r.conf.FieldInterpolatedString, path)
}

// Mapping is a Bloblang mapping, nil where the field is not given.
func (r Reader) Mapping(path ...string) *bloblang.Executor {
	if !r.conf.Contains(path...) {
		return nil
	}
	return read(r, r.conf.FieldBloblang, path)
}

// List is a list of strings.
func (r Reader) List(path ...string) []string { return read(r, r.conf.FieldStringList, path) }

// Number is a whole number.
func (r Reader) Number(path ...string) int { return read(r, r.conf.FieldInt, path) }

// Fraction is any number.
func (r Reader) Fraction(path ...string) float64 { return read(r, r.conf.FieldFloat, path) }

// Fractions is a list of any numbers.
func (r Reader) Fractions(path ...string) []float64 { return read(r, r.conf.FieldFloatList, path) }

// Truth is true or false.
func (r Reader) Truth(path ...string) bool { return read(r, r.conf.FieldBool, path) }

// Duration is a time such as 10s, from 0s on.
func (r Reader) Duration(path ...string) time.Duration {
	written := r.Text(path...)
	value, err := time.ParseDuration(written)
	if err != nil || value < 0 {
		r.Keep(fmt.Errorf("reading %s: %q is no time such as 10s", strings.Join(path, "."), written))
	}
	return value
}

// Period is a Duration that is more than 0s.
func (r Reader) Period(path ...string) time.Duration {
	value := r.Duration(path...)
	if *r.err == nil && value == 0 {
		r.Keep(fmt.Errorf("reading %s: it must be more than 0", strings.Join(path, ".")))
	}
	return value
}

// NewDuration describes a field for Reader.Duration. Lint refuses what is no time; a
// text that is empty is a variable that is not set where one lints.
func NewDuration(name string) *service.ConfigField {
	const times = `^\\+?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^0?$`
	return service.NewDurationField(name).
		LintRule(fmt.Sprintf(`root = if !this.string().re_match("%s") { "%s must be a time such as 10s" }`, times, name))
}

func read[T any](r Reader, field func(path ...string) (T, error), path []string) T {
	value, err := field(path...)
	r.Keep(err)
	return value
}

// Bytes is a size such as 32MiB, from 0 on.
func (r Reader) Bytes(path ...string) int64 { return r.size(0, 1<<62, path) }

// BytesWithin is a size with bounds, both of them allowed.
func (r Reader) BytesWithin(least, most int64, path ...string) int64 {
	return r.size(least, most, path)
}

func (r Reader) size(least, most int64, path []string) int64 {
	written := r.Text(path...)
	value, err := humanize.ParseBytes(written)
	switch {
	case *r.err != nil:
	case err != nil:
		r.Keep(fmt.Errorf("reading %s: %q is no size such as 32MiB", strings.Join(path, "."), written))
	case value < uint64(least) || value > uint64(most):
		r.Keep(fmt.Errorf("reading %s: %q is no size between %s and %s",
			strings.Join(path, "."), written, humanize.IBytes(uint64(least)), humanize.IBytes(uint64(most))))
	}
	return int64(value)
}
