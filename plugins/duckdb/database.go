// Package duckdb is the embedded analytics store: the custom resource
// duckdb_database, which opens one database and answers questions about it, and
// the output duckdb, which writes into it.
//
// Writing: output.go hands each batch to the one writer (writer.go), which joins
// waiting batches, has package rows make rows of them, and commits those with the
// watermarks behind them (commit.go; facts.go, failures.go and table_rows.go fill
// the tables). store.go opens the file, migrations/ is its schema. Reading: read.go
// and read_*.go, a file a group of questions; slices are compiled by package
// slicesql.
package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func init() {
	resource.Register(resourceName, databaseSpec(), func(conf *service.ParsedConfig, res *service.Resources) (any, error) {
		parsed, err := settingsFromParsed(conf)
		if err != nil {
			return nil, err
		}
		return newDatabase(parsed, res.Logger()), nil
	})
}

var _ testengine.Receiver = (*Database)(nil)

var errClosed = errors.New("the database is closed")

// Database is one DuckDB database, opened in the background. One goroutine
// writes, one transaction at a time; questions use connections of their own and
// see the last commit.
type Database struct {
	conf settings
	log  *service.Logger

	opened  chan struct{} // closed when the first opening ended
	openErr error         // valid then
	stop    context.CancelFunc
	running sync.WaitGroup
	closing sync.Once

	queue   chan *request // in the order in which batches come
	queries chan struct{} // one token a question
	helpers helpers
	broken  chan error // an error after which the database must be opened anew

	// current is replaced when DuckDB gives itself up and is opened anew.
	current atomic.Pointer[sql.DB]
	marks   atomic.Pointer[rows.Marks]
	// received is told of every batch that waits to be stored.
	received atomic.Pointer[func(partition int, begin int64)]

	mu       sync.Mutex
	followed chan struct{} // closed at the next commit

	// beforeCommit is for tests: an error in front of a commit.
	beforeCommit func() error
}

func newDatabase(conf settings, log *service.Logger) *Database {
	ctx, stop := context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	d := &Database{
		conf: conf, log: log, stop: stop,
		opened: make(chan struct{}), queue: make(chan *request, queued), queries: make(chan struct{}, conf.queries), broken: make(chan error, 1),
		helpers:  helpers{threads: conf.threads},
		followed: make(chan struct{}), beforeCommit: func() error { return nil },
	}
	d.running.Go(func() { d.run(ctx) })
	return d
}

// run opens the database and writes until ctx ends.
func (d *Database) run(ctx context.Context) {
	w, err := openWriter(ctx, d)
	if err != nil {
		d.openErr = fmt.Errorf("opening the database %s: %w", d.name(), err)
		d.log.Error(d.openErr.Error())
		close(d.opened)
		return
	}
	close(d.opened)
	w.loop(ctx)
	w.close()
}

func (d *Database) name() string {
	if d.conf.inMemory {
		return "in memory"
	}
	return d.conf.path
}

// ready waits until the database is open.
func (d *Database) ready(ctx context.Context) error {
	select {
	case <-d.opened:
		return d.openErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends writing, merges the write-ahead log into the file if that can be
// done in close_timeout, and frees the file.
func (d *Database) Close(ctx context.Context) error {
	d.closing.Do(d.stop)
	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watermark is the next record the database expects of the partition
// (testengine.LogReader). It waits until the database is open.
func (d *Database) Watermark(ctx context.Context, log testengine.LogIdentity, partition int) (next int64, ok bool, err error) {
	if err := d.ready(ctx); err != nil {
		return 0, false, err
	}
	marks := d.marks.Load()
	if err := marks.Check(log.ID); err != nil {
		return 0, false, err
	}
	for known := range marks.Of {
		if known >= log.Partitions {
			return 0, false, fmt.Errorf("the database holds records of partition %d, but the log has only %d partitions", known, log.Partitions)
		}
	}
	mark, ok := marks.Of[partition]
	return mark.Next, ok, nil
}

// OnReceived implements testengine.Receiver.
func (d *Database) OnReceived(received func(partition int, begin int64)) { d.received.Store(&received) }

// Follow returns a channel that is closed at the next commit (query.Store).
func (d *Database) Follow() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.followed
}

func (d *Database) committed(marks rows.Marks) {
	d.marks.Store(&marks)
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.followed)
	d.followed = make(chan struct{})
}
