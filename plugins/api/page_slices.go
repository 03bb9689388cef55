package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// slicesPage is the form of a slice and, when one was asked, its answer. A
// mistake in the question is told above the form's answer, with the form kept.
func (s *site) slicesPage(c *call) error {
	view := s.sliceForm(c)
	keys, err := s.store.TagKeys(c.ctx, c.key, query.Range{Min: s.now().Add(-30 * 24 * time.Hour).UnixMilli()})
	if err != nil {
		return err
	}
	view.Keys = withBuiltins(keys)
	if !view.Asked {
		return s.page(c, page.Slices, view)
	}
	view.Slice, err = s.sliceQuery(c)
	if err == nil {
		before := s.now()
		view.Table, err = s.store.Slice(c.ctx, view.Slice)
		view.Took = fmt.Sprintf("%.0f ms", float64(s.now().Sub(before).Microseconds())/1000)
	}
	var field *query.FieldError
	var filter *query.FilterError
	switch {
	case errors.As(err, &field):
		view.Problem, view.ProblemOf = err.Error(), field.Field
	case errors.As(err, &filter):
		view.Problem, view.ProblemOf = err.Error(), filter.Field
	case err != nil:
		return err
	}
	view.Chart = page.SliceChart(view.Slice, view.Table)
	return s.page(c, page.Slices, view)
}

func (s *site) sliceForm(c *call) page.SlicesView {
	values := c.r.URL.Query()
	view := page.SlicesView{
		Frame: s.frame(c, "Slices", "slices"), Filter: list(values, "filter"), Period: values.Get("period"),
		Minimum: values.Get("min_timestamp"), Maximum: values.Get("max_timestamp"),
		Asked: len(values) > 0, PeriodList: query.Periods, By: make([]string, query.MaxGroupBys),
	}
	if view.Period == "" && view.Minimum == "" && view.Maximum == "" {
		view.Period = defaultPeriod
	}
	chosen := strings.Split(list(values, "measure"), ",")
	for _, m := range query.Measures {
		view.Measures = append(view.Measures, page.MeasureChoice{Measure: m, Chosen: slices.Contains(chosen, string(m)) || !view.Asked && m == query.P50Duration})
	}
	copy(view.By, strings.Split(list(values, "by"), ","))
	plain := url.Values{}
	for _, name := range []string{"measure", "by", "filter", "period", "min_timestamp", "max_timestamp"} {
		if text := list(values, name); text != "" {
			plain.Set(name, text)
		}
	}
	view.Share = view.Path + "?" + plain.Encode()
	view.JSON = view.API("slices") + "?" + plain.Encode()
	plain.Set("format", "csv")
	view.CSV = view.API("slices") + "?" + plain.Encode()
	return view
}
