package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// json answers a value. Everything is encoded before the status is sent.
func (c *call) json(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(body, '\n')) // the reader may have gone
	return nil
}

// tableJSON is a slice as it is answered.
type tableJSON struct {
	Columns   []string         `json:"columns"`
	Rows      []map[string]any `json:"rows"`
	Truncated bool             `json:"truncated"`
}

func tableToJSON(t query.Table) tableJSON {
	answer := tableJSON{Columns: t.Columns, Rows: make([]map[string]any, 0, len(t.Rows)), Truncated: t.Truncated}
	for _, row := range t.Rows {
		object := make(map[string]any, len(row))
		for i, cell := range row {
			object[t.Columns[i]] = finite(cell)
		}
		answer.Rows = append(answer.Rows, object)
	}
	return answer
}

// finite turns what JSON cannot say into null.
func finite(cell any) any {
	if f, ok := cell.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil
	}
	return cell
}

// csv answers a table as a file.
func (c *call) csv(name string, t query.Table) error {
	h := c.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	w := csv.NewWriter(c.w)
	header := make([]string, len(t.Columns))
	for i, column := range t.Columns {
		header[i] = csvText(column)
	}
	_ = w.Write(header) // the reader may have gone
	record := make([]string, len(t.Columns))
	for _, row := range t.Rows {
		for i, cell := range row {
			record[i] = csvCell(cell)
		}
		_ = w.Write(record)
	}
	w.Flush()
	return nil
}

func csvCell(cell any) string {
	switch v := finite(cell).(type) {
	case nil:
		return ""
	case string:
		return csvText(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return csvText(fmt.Sprint(v))
	}
}

// csvText disarms text that a spreadsheet would run as a formula: tags come
// from whoever may upload.
func csvText(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// asset serves a file of the page; its URL changes with its content.
func (s *site) asset(c *call) error {
	asset, ok := s.renderer.Assets().Get(c.r.PathValue("name"))
	if !ok {
		return query.ErrNotFound
	}
	h := c.w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if c.r.URL.Query().Get("v") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("ETag", asset.ETag)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(c.r.Header.Get("If-None-Match"), asset.ETag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", asset.ContentType)
	content := asset.Content
	if strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = asset.Gzip
	}
	_, _ = c.w.Write(content) // the reader may have gone
	return nil
}
