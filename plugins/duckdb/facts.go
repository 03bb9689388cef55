package duckdb

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
)

const (
	factsTable  = "executions_fact"
	factColumns = 9
	// vectorSize is DuckDB's STANDARD_VECTOR_SIZE; newFacts checks it.
	vectorSize = 2048
	// The columns of executions_fact that can be NULL.
	durationColumn  = 6
	startedAtColumn = 8
)

// factAppender writes columns of numbers into executions_fact as whole chunks.
// The driver's own Appender takes rows of `any`, which costs an allocation and a
// type switch a value; its exported mapping to DuckDB's C interface takes a
// chunk's memory, which costs a copy.
type factAppender struct {
	appender mapping.Appender
	types    []mapping.LogicalType
	chunk    mapping.DataChunk
}

// nativeConnection finds the C connection in a connection of the driver, which
// keeps it in a private field (v2.10505.0, the version the module pins).
func nativeConnection(conn *sql.Conn) (native mapping.Connection, err error) {
	err = conn.Raw(func(driverConn any) error {
		value := reflect.ValueOf(driverConn)
		if value.Kind() != reflect.Pointer {
			return fmt.Errorf("the driver's connection is a %T", driverConn)
		}
		field := value.Elem().FieldByName("conn")
		if !field.IsValid() || field.Type() != reflect.TypeFor[mapping.Connection]() {
			return errors.New("this version of duckdb-go keeps its connection elsewhere")
		}
		native.Ptr = field.FieldByName("Ptr").UnsafePointer()
		return nil
	})
	return native, err
}

func newFactAppender(conn mapping.Connection) (*factAppender, error) {
	a := &factAppender{}
	if mapping.AppenderCreate(conn, "", factsTable, &a.appender) == mapping.StateError {
		err := errors.New(mapping.AppenderError(a.appender))
		mapping.AppenderDestroy(&a.appender)
		return nil, err
	}
	columns := int(mapping.AppenderColumnCount(a.appender))
	for i := range columns {
		a.types = append(a.types, mapping.AppenderColumnType(a.appender, mapping.IdxT(i)))
	}
	a.chunk = mapping.CreateDataChunk(a.types)
	if columns != factColumns || mapping.VectorSize() != vectorSize {
		a.close()
		return nil, fmt.Errorf("%s has %d columns and vectors of %d, want %d and %d",
			factsTable, columns, mapping.VectorSize(), factColumns, vectorSize)
	}
	return a, nil
}

func (a *factAppender) append(f *rows.Facts) error {
	for from := 0; from < f.Len(); from += vectorSize {
		a.fill(f, from, min(from+vectorSize, f.Len()))
		if mapping.AppendDataChunk(a.appender, a.chunk) == mapping.StateError {
			return errors.New(mapping.AppenderError(a.appender))
		}
	}
	if mapping.AppenderFlush(a.appender) == mapping.StateError {
		return errors.New(mapping.AppenderError(a.appender))
	}
	return nil
}

func (a *factAppender) fill(f *rows.Facts, from, to int) {
	mapping.DataChunkReset(a.chunk)
	copy(column[int64](a, 0), f.Time[from:to])
	copy(column[uint32](a, 1), f.Suite[from:to])
	copy(column[uint32](a, 2), f.Test[from:to])
	copy(column[uint32](a, 3), f.Upload[from:to])
	copy(column[uint32](a, 4), f.Index[from:to])
	copy(column[uint8](a, 5), f.Result[from:to])
	copy(column[int64](a, durationColumn), f.Duration[from:to])
	setNulls(a, durationColumn, f.Duration[from:to], rows.NoDuration)
	copy(column[uint32](a, 7), f.TagSet[from:to])
	if len(f.StartedAt) == 0 {
		setAllNull(a, startedAtColumn)
	} else {
		copy(column[int64](a, startedAtColumn), f.StartedAt[from:to])
		setNulls(a, startedAtColumn, f.StartedAt[from:to], 0)
	}
	mapping.DataChunkSetSize(a.chunk, mapping.IdxT(to-from))
}

// column is the chunk's own memory of a column.
func column[T any](a *factAppender, i int) []T {
	data := mapping.VectorGetData(mapping.DataChunkGetVector(a.chunk, mapping.IdxT(i)))
	return unsafe.Slice((*T)(data), vectorSize)
}

func validity(a *factAppender, i int) []uint64 {
	vector := mapping.DataChunkGetVector(a.chunk, mapping.IdxT(i))
	mapping.VectorEnsureValidityWritable(vector)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), vectorSize/64)
}

func setAllNull(a *factAppender, i int) { clear(validity(a, i)) }

func setNulls(a *factAppender, i int, values []int64, null int64) {
	var mask []uint64
	for row, v := range values {
		if v != null {
			continue
		}
		if mask == nil {
			mask = validity(a, i)
		}
		mask[row/64] &^= 1 << (row % 64)
	}
}

// close frees the appender. What was not flushed is dropped.
func (a *factAppender) close() {
	mapping.AppenderClear(a.appender)
	mapping.AppenderDestroy(&a.appender)
	mapping.DestroyDataChunk(&a.chunk)
	for i := range a.types {
		mapping.DestroyLogicalType(&a.types[i])
	}
}
