package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
)

var (
	// errCommit marks a failure after which it is not known whether the transaction holds.
	errCommit = errors.New("committing")
	// errMoved says that the watermark is not where this process left it.
	errMoved = errors.New("the watermark was moved by somebody else")
)

const fatalWords = "database has been invalidated"

// isFatal reports whether DuckDB has given itself up and must be opened anew.
func isFatal(err error) bool {
	text := err.Error()
	return errors.Is(err, errMoved) || strings.Contains(text, fatalWords) || strings.Contains(text, "FATAL Error") ||
		errors.Is(err, sql.ErrConnDone)
}

// store is an open database and the connection that writes.
type store struct {
	db     *sql.DB
	conn   *sql.Conn
	native mapping.Connection
	conf   settings
}

func openStore(ctx context.Context, conf settings) (_ *store, err error) {
	if conf, err = conf.prepareFolder(); err != nil {
		return nil, err
	}
	s := &store{conf: conf}
	connector, err := driver.NewConnector(conf.dsn(), nil)
	if err != nil {
		return nil, err
	}
	s.db = sql.OpenDB(connector) // closing it closes the connector
	s.db.SetMaxOpenConns(conf.queries + 2)
	s.db.SetMaxIdleConns(conf.queries + 2)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	if err := migrate(ctx, s.db); err != nil {
		return nil, err
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, err
	}
	s.native, err = nativeConnection(s.conn)
	return s, err
}

func (c settings) dsn() string {
	options := url.Values{
		"threads":                  {"1"}, // helpers come with questions
		"memory_limit":             {c.memoryLimit},
		"preserve_insertion_order": {"false"},
		"checkpoint_threshold":     {c.checkpoint},
		// What a checkpoint leaves as it was is then not written again, columns of
		// row groups that others were added to included.
		"storage_compatibility_version": {"latest"},
		// Transactions and checkpoints leave row groups that are not full. To join all
		// of them at each checkpoint is to write a fifth of the rows again; a few of
		// each table are enough in the long run. Row groups whose rows are all deleted
		// go without it.
		"max_vacuum_tasks":             {"1"},
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
	}
	if c.inMemory {
		return ":memory:?" + options.Encode()
	}
	return c.path + "?" + options.Encode()
}

// prepareFolder makes the database's folder.
func (c settings) prepareFolder() (settings, error) {
	if c.inMemory {
		return c, nil
	}
	path, err := filepath.Abs(c.path)
	if err != nil {
		return c, err
	}
	c.path = path
	return c, os.MkdirAll(filepath.Dir(path), 0o750)
}

// close merges the write-ahead log into the file, as far as time allows, and frees it.
func (s *store) close(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if s.conn != nil {
		// What is not merged is read from the log at the next start.
		_, _ = s.conn.ExecContext(ctx, "CHECKPOINT")
		_ = s.conn.Close()
	}
	_ = s.db.Close()
}

// load reads the names and the watermarks.
func (s *store) load(ctx context.Context, tagSets int) (*rows.Names, rows.Marks, error) {
	names := rows.NewNames(tagSets)
	marks := rows.Marks{Of: map[int]rows.Mark{}}
	var suite rows.Suite
	var set rows.TagSet
	var test struct {
		number    uint32
		id, place uint64
	}
	var mark rows.Mark
	var partition int
	var upload uint32
	var verdict uint64
	steps := []struct {
		query string
		into  []any
		take  func()
	}{
		{
			`SELECT number, org, suite, default_branch, tags_mode FROM suites`,
			[]any{&suite.Number, &suite.Org, &suite.Name, &suite.DefaultBranch, &suite.Mode},
			func() { names.LoadSuite(suite) },
		},
		{
			`SELECT number, id, place_hash FROM tests ORDER BY number`,
			[]any{&test.number, &test.id, &test.place},
			func() { names.LoadTest(test.number, test.id, test.place) },
		},
		{
			`SELECT number, suite, hash, whole FROM tag_sets WHERE number > 0`,
			[]any{&set.Number, &set.Suite, &set.Hash, &set.Whole},
			func() { names.LoadTagSet(set.Number, set.Suite, set.Hash, set.Whole) },
		},
		{`SELECT coalesce(max(number), 0) FROM uploads`, []any{&upload}, func() {}},
		{`SELECT coalesce(max(number), 0) FROM verdicts`, []any{&verdict}, func() {}},
		{
			`SELECT log_id, partition_number, next_offset, next_first, open_upload, epoch_us(time) FROM watermarks`,
			[]any{&marks.LogID, &partition, &mark.Next, &mark.First, &mark.OpenUpload, &mark.Time},
			func() { marks.Of[partition] = mark },
		},
	}
	for _, step := range steps {
		if err := s.each(ctx, step.query, step.into, step.take); err != nil {
			return nil, marks, fmt.Errorf("loading the names: %w", err)
		}
	}
	names.LoadCounters(upload, verdict)
	return names, marks, nil
}

func (s *store) each(ctx context.Context, query string, into []any, take func()) error {
	result, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = result.Close() }()
	for result.Next() {
		if err := result.Scan(into...); err != nil {
			return err
		}
		take()
	}
	return result.Err()
}
