package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
)

var _ query.Store = (*Database)(nil)

// reader is one question: a connection pool and a context that ends in time.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives as long as one question
	db  *sql.DB
}

// ask runs a question with a token of its own, within query_timeout.
func (d *Database) ask(ctx context.Context, question func(reader) error) error {
	select {
	case <-d.opened:
	default:
		return query.ErrNotReady
	}
	if d.openErr != nil {
		return d.openErr
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.conf.queryTimeout, fmt.Errorf("the question took longer than %s (%s)", d.conf.queryTimeout, fieldQueryTimeout))
	defer cancel()
	select {
	case d.queries <- struct{}{}:
		defer func() { <-d.queries }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	db := d.current.Load()
	if db == nil {
		d.complain(query.ErrNotReady)
		return query.ErrNotReady
	}
	err := d.helpers.come(ctx, db)
	if err == nil {
		err = question(reader{ctx, db})
	}
	_ = d.helpers.leave(ctx, db) // The next question's helpers leave, or the database is broken.
	if err != nil && isFatal(err) {
		d.complain(err)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// complain makes the writer open the database anew if it needs that.
func (d *Database) complain(err error) {
	select {
	case d.broken <- err:
	default:
	}
}

// each calls take for every row, read into the given places.
func (r reader) each(statement string, args []any, into []any, take func() error) error {
	result, err := r.db.QueryContext(r.ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	defer func() { _ = result.Close() }()
	for result.Next() {
		if err := result.Scan(into...); err != nil {
			return fmt.Errorf("reading the database's answer: %w", err)
		}
		if err := take(); err != nil {
			return err
		}
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("reading the database's answer: %w", err)
	}
	return nil
}

// one reads a single row.
func (r reader) one(statement string, args []any, into ...any) error {
	if err := r.db.QueryRowContext(r.ctx, statement, args...).Scan(into...); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}

// scope finds the suites that are meant. ok is false when the store has none of them.
func (r reader) scope(key query.SuiteKey) (scope slicesql.Scope, ok bool, err error) {
	var number uint32
	var mode uint8
	err = r.each(`SELECT number, tags_mode FROM suites WHERE ($1 = '' OR org = $1) AND ($2 = '' OR suite = $2)`,
		[]any{key.Org, key.Suite}, []any{&number, &mode}, func() error {
			scope.Suites = append(scope.Suites, number)
			scope.Split = scope.Split || mode >= 1
			scope.Spilled = scope.Spilled || mode >= 2
			return nil
		})
	ok = len(scope.Suites) > 0
	if key == (query.SuiteKey{}) {
		scope.Suites = nil
	}
	return scope, ok, err
}

// inSuites is the condition for a scope; it holds numbers only.
func inSuites(column string, scope slicesql.Scope) string {
	if scope.Suites == nil {
		return "TRUE"
	}
	words := make([]string, len(scope.Suites))
	for i, n := range scope.Suites {
		words[i] = strconv.FormatUint(uint64(n), 10)
	}
	return column + " IN (" + strings.Join(words, ", ") + ")"
}

// allSuites is the scope of questions about everything.
var allSuites = slicesql.Scope{}
