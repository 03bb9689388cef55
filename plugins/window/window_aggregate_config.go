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
func (a *aggregator) configure(conf *service.ParsedConfig) (err error) {
	r := fields.Into(&err, conf)
	a.configureEvents(r)
	s := &a.settings
	s.Name = r.Text(fieldName)
	s.By = r.List(fieldBy)
	s.Delay = milliseconds(r, fieldDelay)
	s.Lateness = milliseconds(r, fieldLateness)
	s.Early = milliseconds(r, fieldEarly)
	s.MaxWindows = r.Number(fieldMaxWindows)
	s.MaxPanes = r.Number(fieldMaxPanes)
	s.MaxSessions = r.Number(fieldMaxSessions)
	s.MaxKey = r.Number(fieldMaxKey)
	s.Hot = r.Number(fieldHot)
	s.RelativeError = r.Fraction(fieldError)
	s.Precision = uint8(r.Number(fieldPrecision))
	a.both = r.Text(fieldEmit) == emitBoth
	a.perPane = r.Number(fieldPerMessage)
	a.paneBytes = r.Bytes(fieldBytes)
	a.maxAhead = milliseconds(r, fieldMaxAhead)
	w := r.Within(fieldWindow)
	s.Kind = panes.Kind(w.Text(fieldType))
	s.Size = milliseconds(w, fieldSize)
	s.Slide = milliseconds(w, fieldSlide)
	s.Gap = milliseconds(w, fieldGap)
	if s.Kind == panes.Tumbling {
		s.Slide = s.Size
	}
	if err != nil {
		return err
	}
	if a.perPane < 1 || a.paneBytes < 1 {
		return fmt.Errorf("%s and %s must be at least 1", fieldPerMessage, fieldBytes)
	}
	return s.Check()
}

func (a *aggregator) configureEvents(r fields.Reader) {
	p := &a.plan
	p.fields = events.NewFields()
	p.blocks = r.Text(fieldFrom) == fromBlocks
	p.unit = events.Unit(r.Text(fieldTimeUnit))
	p.time = -1
	for _, name := range r.List(fieldBy) {
		p.by = append(p.by, p.fields.Add(name))
	}
	if name := r.Text(fieldTime); name != "" {
		p.time = p.fields.Add(name)
	}
	if a.mapping = r.Mapping(fieldMapping); a.mapping != nil {
		p.mapping = r.Text(fieldMapping)
	}
	p.where = conditionsFrom(r, p.fields)
	if p.blocks && a.mapping != nil {
		r.Keep(errors.New("reading mapping: it makes events of JSON; blocks have fields of their own"))
	}
	for _, one := range r.Each(fieldAggregates) {
		a.aggregate(one)
	}
}

func (a *aggregator) aggregate(r fields.Reader) {
	out := panes.Aggregate{Name: r.Text(fieldName), Function: panes.Function(r.Text(fieldFunction))}
	m := measure{field: -1, numeric: out.Function.Numeric(), distinct: out.Function == panes.Distinct}
	name := r.Text(fieldField)
	switch {
	case name != "":
		m.field = a.plan.fields.Add(name)
	case out.Function != panes.Count:
		r.Keep(fmt.Errorf("reading aggregates: %s needs a field, only count goes without", out.Name))
	}
	if out.Function == panes.Percentiles {
		out.Percentiles = r.Fractions(fieldPercentiles)
	}
	m.where = conditionsFrom(r, a.plan.fields)
	a.settings.Aggregates = append(a.settings.Aggregates, out)
	a.plan.measures = append(a.plan.measures, m)
}

func conditionsFrom(r fields.Reader, known *events.Fields) (all []condition) {
	for _, one := range r.Each(fieldWhere) {
		name, in, not := one.Text(fieldField), one.List(fieldIn), one.List(fieldNotIn)
		if (len(in) == 0) == (len(not) == 0) {
			one.Keep(fmt.Errorf("reading where: the condition on %s needs either in or not_in", name))
		}
		c := condition{field: known.Add(name), words: in}
		if len(not) > 0 {
			c.words, c.not = not, true
		}
		all = append(all, c)
	}
	return all
}

// milliseconds is a duration in the unit of windows; a part of one is a mistake.
func milliseconds(r fields.Reader, name string) int64 {
	d := r.Duration(name)
	if d%time.Millisecond != 0 {
		r.Keep(badField(name, errors.New("times are in whole milliseconds")))
	}
	return d.Milliseconds()
}
