package duckdb

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// vectorSize is DuckDB's STANDARD_VECTOR_SIZE; newChunkAppender checks it.
const vectorSize = 2048

// chunkAppender writes columns into a table as whole chunks. The driver's own
// Appender takes rows of `any`, which costs an allocation and a type switch a
// value; its exported mapping to DuckDB's C interface takes a chunk's memory,
// which costs a copy.
type chunkAppender struct {
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

// newChunkAppender opens the table, which must have that many columns.
func newChunkAppender(conn mapping.Connection, table string, columns int) (*chunkAppender, error) {
	a := &chunkAppender{}
	if mapping.AppenderCreate(conn, "", table, &a.appender) == mapping.StateError {
		err := errors.New(mapping.AppenderError(a.appender))
		mapping.AppenderDestroy(&a.appender)
		return nil, err
	}
	found := int(mapping.AppenderColumnCount(a.appender))
	for i := range found {
		a.types = append(a.types, mapping.AppenderColumnType(a.appender, mapping.IdxT(i)))
	}
	a.chunk = mapping.CreateDataChunk(a.types)
	if found != columns || mapping.VectorSize() != vectorSize {
		a.close()
		return nil, fmt.Errorf("%s has %d columns and vectors of %d, want %d and %d", table, found, mapping.VectorSize(), columns, vectorSize)
	}
	return a, nil
}

// append writes n rows: fill puts those from from to to into an empty chunk.
func (a *chunkAppender) append(n int, fill func(from, to int)) error {
	for from := 0; from < n; from += vectorSize {
		to := min(from+vectorSize, n)
		mapping.DataChunkReset(a.chunk)
		fill(from, to)
		mapping.DataChunkSetSize(a.chunk, mapping.IdxT(to-from))
		if mapping.AppendDataChunk(a.appender, a.chunk) == mapping.StateError {
			return errors.New(mapping.AppenderError(a.appender))
		}
	}
	if mapping.AppenderFlush(a.appender) == mapping.StateError {
		return errors.New(mapping.AppenderError(a.appender))
	}
	return nil
}

func (a *chunkAppender) vector(i int) mapping.Vector {
	return mapping.DataChunkGetVector(a.chunk, mapping.IdxT(i))
}

// column is the chunk's own memory of a column.
func column[T any](a *chunkAppender, i int) []T {
	return unsafe.Slice((*T)(mapping.VectorGetData(a.vector(i))), vectorSize)
}

func (a *chunkAppender) validity(i int) []uint64 {
	vector := a.vector(i)
	mapping.VectorEnsureValidityWritable(vector)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), vectorSize/64)
}

// texts is a column of strings.
type texts struct {
	appender *chunkAppender
	index    int
	vector   mapping.Vector
	valid    []uint64
}

func (a *chunkAppender) texts(i int) texts { return texts{appender: a, index: i, vector: a.vector(i)} }

func (t *texts) set(row int, s string) {
	mapping.VectorAssignStringElement(t.vector, mapping.IdxT(row), text(s))
}

// setOrNull is NULL for an empty text.
func (t *texts) setOrNull(row int, s string) {
	if s != "" {
		t.set(row, s)
		return
	}
	if t.valid == nil {
		t.valid = t.appender.validity(t.index)
	}
	setNull(t.valid, row)
}

func setNull(valid []uint64, row int) { valid[row/64] &^= 1 << (row % 64) }

// close frees the appender. What was not flushed is dropped.
func (a *chunkAppender) close() {
	mapping.AppenderClear(a.appender)
	mapping.AppenderDestroy(&a.appender)
	mapping.DestroyDataChunk(&a.chunk)
	for i := range a.types {
		mapping.DestroyLogicalType(&a.types[i])
	}
}
