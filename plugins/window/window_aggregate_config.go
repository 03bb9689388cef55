package window

import (
	"errors"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

// configure reads the fields.
func (a *aggregator) configure(conf *service.ParsedConfig) error {
	if err := a.configureEvents(conf); err != nil {
		return err
	}
	r := &fieldReader{conf: conf}
	s := &a.settings
	s.Name = r.text(fieldName)
	s.By = r.texts(fieldBy)
	s.Delay = r.milliseconds(fieldDelay)
	s.Lateness = r.milliseconds(fieldLateness)
	s.Early = r.milliseconds(fieldEarly)
	s.MaxWindows = r.number(fieldMaxWindows)
	s.MaxPanes = r.number(fieldMaxPanes)
	s.MaxSessions = r.number(fieldMaxSessions)
	s.MaxKey = r.number(fieldMaxKey)
	s.Hot = r.number(fieldHot)
	s.RelativeError = r.fraction(fieldError)
	s.Precision = uint8(r.number(fieldPrecision))
	a.both = r.text(fieldEmit) == emitBoth
	a.perPane = r.number(fieldPerMessage)
	a.paneBytes = fields.Into(&r.err, conf).Bytes(fieldBytes)
	a.maxAhead = r.milliseconds(fieldMaxAhead)
	w := &fieldReader{conf: conf.Namespace(fieldWindow)}
	s.Kind = panes.Kind(w.text(fieldType))
	s.Size = w.milliseconds(fieldSize)
	s.Slide = w.milliseconds(fieldSlide)
	s.Gap = w.milliseconds(fieldGap)
	if s.Kind == panes.Tumbling {
		s.Slide = s.Size
	}
	if err := errors.Join(r.err, w.err); err != nil {
		return err
	}
	if a.perPane < 1 || a.paneBytes < 1 {
		return fmt.Errorf("%s and %s must be at least 1", fieldPerMessage, fieldBytes)
	}
	return s.Check()
}

func (a *aggregator) configureEvents(conf *service.ParsedConfig) (err error) {
	r := &fieldReader{conf: conf}
	p := &a.plan
	p.fields = events.NewFields()
	p.blocks = r.text(fieldFrom) == fromBlocks
	p.unit = events.Unit(r.text(fieldTimeUnit))
	p.time = -1
	for _, name := range r.texts(fieldBy) {
		p.by = append(p.by, p.fields.Add(name))
	}
	if name := r.text(fieldTime); name != "" {
		p.time = p.fields.Add(name)
	}
	if conf.Contains(fieldMapping) {
		p.mapping = r.text(fieldMapping)
		if a.mapping, err = conf.FieldBloblang(fieldMapping); err != nil {
			return badField(fieldMapping, err)
		}
	}
	if p.where, err = conditionsFromParsed(conf, p.fields); err != nil {
		return err
	}
	if r.err != nil {
		return r.err
	}
	if p.blocks && a.mapping != nil {
		return errors.New("reading mapping: it makes events of JSON; blocks have fields of their own")
	}
	aggregates, err := conf.FieldObjectList(fieldAggregates)
	if err != nil {
		return badField(fieldAggregates, err)
	}
	for _, one := range aggregates {
		if err := a.aggregate(one); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggregator) aggregate(conf *service.ParsedConfig) (err error) {
	r := &fieldReader{conf: conf}
	out := panes.Aggregate{Name: r.text(fieldName), Function: panes.Function(r.text(fieldFunction))}
	m := measure{field: -1, numeric: out.Function.Numeric(), distinct: out.Function == panes.Distinct}
	name := r.text(fieldField)
	switch {
	case name != "":
		m.field = a.plan.fields.Add(name)
	case out.Function != panes.Count:
		return fmt.Errorf("reading aggregates: %s needs a field, only count goes without", out.Name)
	}
	if out.Function == panes.Percentiles {
		out.Percentiles = r.fractions(fieldPercentiles)
	}
	if m.where, err = conditionsFromParsed(conf, a.plan.fields); err != nil {
		return err
	}
	a.settings.Aggregates = append(a.settings.Aggregates, out)
	a.plan.measures = append(a.plan.measures, m)
	return r.err
}

func conditionsFromParsed(conf *service.ParsedConfig, fields *events.Fields) (all []condition, err error) {
	list, err := conf.FieldObjectList(fieldWhere)
	if err != nil {
		return nil, badField(fieldWhere, err)
	}
	for _, one := range list {
		r := &fieldReader{conf: one}
		name, in, not := r.text(fieldField), r.texts(fieldIn), r.texts(fieldNotIn)
		if r.err != nil {
			return nil, r.err
		}
		if (len(in) == 0) == (len(not) == 0) {
			return nil, fmt.Errorf("reading where: the condition on %s needs either in or not_in", name)
		}
		c := condition{field: fields.Add(name), words: in}
		if len(not) > 0 {
			c.words, c.not = not, true
		}
		all = append(all, c)
	}
	return all, nil
}

// fieldReader reads fields until one cannot be read.
type fieldReader struct {
	conf *service.ParsedConfig
	err  error
}

func read[T any](r *fieldReader, name string, get func(...string) (T, error)) (value T) {
	if r.err != nil {
		return value
	}
	value, err := get(name)
	if err != nil {
		r.err = badField(name, err)
	}
	return value
}

func (r *fieldReader) text(name string) string      { return read(r, name, r.conf.FieldString) }
func (r *fieldReader) texts(name string) []string   { return read(r, name, r.conf.FieldStringList) }
func (r *fieldReader) number(name string) int       { return read(r, name, r.conf.FieldInt) }
func (r *fieldReader) fraction(name string) float64 { return read(r, name, r.conf.FieldFloat) }

func (r *fieldReader) fractions(name string) []float64 {
	return read(r, name, r.conf.FieldFloatList)
}

func (r *fieldReader) milliseconds(name string) int64 {
	d, err := fields.Duration(r.conf, name)
	if r.err == nil {
		r.err = err
	}
	if d%time.Millisecond != 0 && r.err == nil {
		r.err = badField(name, errors.New("times are in whole milliseconds"))
	}
	return d.Milliseconds()
}
