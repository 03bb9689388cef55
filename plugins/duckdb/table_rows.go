package duckdb

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

type value = driver.Value

// text makes a string that DuckDB takes: valid UTF-8.
func text(s string) string {
	if utf8.ValidString(s) { // Many times faster, and nearly always so.
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func tagMap(tags []testengine.Tag) duck.OrderedMap {
	var m duck.OrderedMap
	for _, t := range tags {
		m.Set(text(t.Key), text(t.Value))
	}
	return m
}

// appendAll appends one row for each item.
func appendAll[T any](s *store, table string, items []T, row func(T) []value) error {
	if len(items) == 0 {
		return nil
	}
	return s.appendWith(table, len(items), func(i int) []value { return row(items[i]) }, func(conn driver.Conn) (*duck.Appender, error) {
		return duck.NewAppenderFromConn(conn, "", table)
	})
}

// insertNew appends n rows to a table, but those whose key is there already.
func (s *store) insertNew(table string, n int, row func(int) []value) error {
	if n == 0 {
		return nil
	}
	return s.appendWith(table, n, row, func(conn driver.Conn) (*duck.Appender, error) {
		return duck.NewTableAppender(conn, "INSERT INTO "+table+" SELECT * FROM appended_data ON CONFLICT DO NOTHING", "", "", table, nil)
	})
}

// writeMoved gives tests their new places.
func (s *store) writeMoved(moved map[uint32]rows.Place) error {
	if len(moved) == 0 {
		return nil
	}
	numbers := make([]uint32, 0, len(moved))
	for number := range moved {
		numbers = append(numbers, number)
	}
	types := []duck.Type{duck.TYPE_UINTEGER, duck.TYPE_VARCHAR, duck.TYPE_VARCHAR, duck.TYPE_VARCHAR, duck.TYPE_UBIGINT}
	infos := make([]duck.TypeInfo, len(types))
	for i, t := range types {
		info, err := duck.NewTypeInfo(t)
		if err != nil {
			return err
		}
		infos[i] = info
	}
	const update = `UPDATE tests SET location = m.location, file = m.file, owner = m.owner, place_hash = m.place_hash
		FROM moved m WHERE tests.number = m.number`
	return s.appendWith("tests", len(numbers), func(i int) []value {
		p := moved[numbers[i]]
		return []value{numbers[i], text(p.Location), text(p.File), text(p.Owner), p.Hash}
	}, func(conn driver.Conn) (*duck.Appender, error) {
		return duck.NewQueryAppender(conn, update, "moved", infos, []string{"number", "location", "file", "owner", "place_hash"})
	})
}

func (s *store) appendWith(table string, n int, row func(int) []value, open func(driver.Conn) (*duck.Appender, error)) error {
	err := s.conn.Raw(func(conn any) error {
		appender, err := open(conn.(driver.Conn))
		if err != nil {
			return err
		}
		for i := range n {
			if err := appender.AppendRow(row(i)...); err != nil {
				return errors.Join(err, appender.Clear(), appender.Close())
			}
		}
		return appender.Close()
	})
	if err != nil {
		return fmt.Errorf("writing rows of %s: %w", table, err)
	}
	return nil
}

func runRow(r rows.Run) []value {
	e := r.Event
	return []value{
		text(e.ID), r.Suite, r.Run, text(e.RunID), text(e.RunKey), string(e.Event), int32(e.Generation), moment(e.Time * 1000),
		text(e.Branch), text(e.CommitSHA), text(e.Storm), uint32(e.Uploads), uint32(e.Executions), uint32(e.Failed),
	}
}

func verdictRow(r rows.Verdict) []value {
	v := r.Verdict
	body, err := json.Marshal(v)
	if err != nil {
		// NaN and infinity cannot be written; a verdict has neither.
		body = []byte("{}")
	}
	return []value{
		r.Number, text(v.ID), moment(int64(v.Time) * 1000), string(v.Type), r.Suite, r.TestID, text(v.Variant), text(v.Owner),
		text(v.Rule.ID), int32(v.Rule.Version), v.Probability, int32(v.Episode), text(string(body)),
	}
}

// writeUploads appends new rows and adds to those of earlier transactions.
func (s *store) writeUploads(ctx context.Context, uploads []*rows.Upload) error {
	var added []*rows.Upload
	for _, up := range uploads {
		if !up.Stored {
			added = append(added, up)
			continue
		}
		if err := s.addToUpload(ctx, up); err != nil {
			return fmt.Errorf("going on with an upload: %w", err)
		}
	}
	return appendAll(s, "uploads", added, uploadRow)
}

func (s *store) addToUpload(ctx context.Context, up *rows.Upload) error {
	err := s.exec(ctx, `UPDATE uploads
		SET passed = passed + ?, failed = failed + ?, skipped = skipped + ?, pending = pending + ?, unknown = unknown + ?
		WHERE number = ?`, up.Counts[1], up.Counts[2], up.Counts[3], up.Counts[4], up.Counts[0], up.Number)
	if err != nil || up.Report == nil {
		return err
	}
	var args []any
	for _, column := range append(reportColumns(up.Report), up.Number) {
		args = append(args, column)
	}
	return s.exec(ctx, `UPDATE uploads SET bytes = ?, received = ?, accepted = ?, rejected = ?, duplicate = ?,
		without_result = ?, suite_errors = ?, problems = ?, problem_counts = ?, reported = ?, chunk_index = ?, chunk_count = ? WHERE number = ?`, args...)
}

func uploadRow(up *rows.Upload) []value {
	f := &up.Facts
	row := []value{
		up.Number, text(f.ID), up.Suite, text(up.Named.LogID), int32(up.Named.Partition), up.Named.Offset,
		moment(f.Time * 1000), moment(f.ReceivedAt * 1000), text(f.Format), up.Run, text(f.RunID), text(f.RunKey), f.RunKeyMissing,
		text(f.Branch), text(f.CommitSHA), text(f.CI), text(f.URL), text(f.Number), text(f.JobID), text(f.Message),
		text(f.Collector), text(f.CollectorVersion), text(f.TestRunner), text(f.LanguageVersion), tagMap(up.Tags),
		up.Counts[1], up.Counts[2], up.Counts[3], up.Counts[4], up.Counts[0],
	}
	report := up.Report
	if report == nil {
		report = &testengine.UploadReport{}
	}
	row = append(row, reportColumns(report)...)
	row[len(row)-3] = up.Report != nil
	return row
}

// reportColumns are the columns bytes to chunk_count.
func reportColumns(r *testengine.UploadReport) []value {
	index, count := uint32(0), uint32(1)
	if r.Chunk != nil {
		index, count = uint32(r.Chunk.Index), uint32(r.Chunk.Count)
	}
	return []value{
		int64(r.Bytes), uint32(r.Received), uint32(r.Accepted), uint32(r.Rejected), r.Duplicate, uint32(r.WithoutResult), uint32(r.SuiteErrors),
		jsonOrNull(r.Problems, len(r.Problems)), jsonOrNull(r.ProblemCounts, len(r.ProblemCounts)), true, index, count,
	}
}

func jsonOrNull(v any, n int) any {
	if n == 0 {
		return nil
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil // strings and numbers: cannot happen
	}
	return text(string(encoded))
}
