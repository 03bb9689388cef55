package api

import (
	"net/http"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

func (s *site) slices(c *call) error {
	q, err := s.sliceQuery(c)
	if err != nil {
		return err
	}
	format := c.r.URL.Query().Get("format")
	if format != "" && format != "json" && format != "csv" {
		return &query.FieldError{Field: "format", Reason: "write json or csv"}
	}
	table, err := s.store.Slice(c.ctx, q)
	if err != nil {
		return err
	}
	s.serverTiming(c)
	if format == "csv" {
		return c.csv("slice.csv", table)
	}
	return c.json(http.StatusOK, tableToJSON(table))
}

func (s *site) tagKeys(c *call) error {
	within, err := s.within(c, "30days")
	if err != nil {
		return err
	}
	keys, err := s.store.TagKeys(c.ctx, c.key, within)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, withBuiltins(keys))
}

// withBuiltins puts the keys that always exist behind the tags, each once.
func withBuiltins(keys []string) []string {
	list := slices.Clone(keys)
	for _, key := range query.BuiltinKeys {
		if !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	return list
}

func (s *site) tagValues(c *call) error {
	limit, err := c.number("limit", 50, 1000)
	if err != nil {
		return err
	}
	values, err := s.store.TagValues(c.ctx, c.key, c.r.PathValue("key"), c.r.URL.Query().Get("prefix"), limit)
	if err != nil {
		return err
	}
	if values == nil {
		values = []string{}
	}
	return c.json(http.StatusOK, values)
}
