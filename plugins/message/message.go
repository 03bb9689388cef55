// Package message carries the typed values of package testengine in Connect
// messages: a value travels as it is (SetStructured), so it is decoded once; its
// JSON decodes back to the same value, so that config tests and other streams
// can feed it as bytes.
package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Kind returns what the message carries, or "" for a message that is not ours.
func Kind(m *service.Message) testengine.Kind {
	switch kind := value(m, testengine.MetaKind).(type) {
	case string:
		return testengine.Kind(kind)
	case testengine.Kind:
		return kind
	}
	return ""
}

// Set puts a value of package testengine into the message and names its kind.
// The value must not be changed afterwards.
func Set(m *service.Message, kind testengine.Kind, value any) {
	m.SetStructured(value)
	m.MetaSetMut(testengine.MetaKind, string(kind))
}

// Get returns the message's value as *T (Block, UploadReport, Run, Verdict,
// Change). It is shared: read it, do not change it.
func Get[T any](m *service.Message) (*T, error) {
	if m.HasStructured() {
		structured, err := m.AsStructured()
		if err != nil {
			return nil, err
		}
		if typed, ok := structured.(*T); ok {
			return typed, nil
		}
	}
	raw, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	typed := new(T)
	if err := json.Unmarshal(raw, typed); err != nil {
		return nil, fmt.Errorf("reading a %T from the message: %w", typed, err)
	}
	return typed, nil
}

// Text returns a metadata value as text, "" when it is absent.
func Text(m *service.Message, key string) string {
	switch v := value(m, key).(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	text, _ := m.MetaGet(key)
	return text
}

// Int returns a metadata value as a number; ok is false when it is absent or no number.
func Int(m *service.Message, key string) (number int64, ok bool) {
	switch v := value(m, key).(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), true
	case json.Number: // What a mapping takes out of JSON.
		if parsed, err := v.Int64(); err == nil {
			return parsed, true
		}
		parsed, err := v.Float64()
		return int64(parsed), err == nil
	case string:
		parsed, err := strconv.ParseInt(v, 10, 64)
		return parsed, err == nil
	}
	return 0, false
}

// Chunk returns which piece of a larger upload the message carries, when it was
// cut between records; nil for a whole one.
func Chunk(m *service.Message) *testengine.Chunk {
	if mode := Text(m, testengine.MetaChunkMode); mode != testengine.ChunkRecords {
		return nil
	}
	index, _ := Int(m, testengine.MetaChunkIndex)
	count, _ := Int(m, testengine.MetaChunkCount)
	first, _ := Int(m, testengine.MetaChunkFirstIndex)
	if index < 0 || count < 1 || index >= count || first < 0 {
		return nil
	}
	return &testengine.Chunk{Index: int(index), Count: int(count), FirstIndex: int(first)}
}

// Position returns where in the log the message comes from; ok is false for a
// message without offset.
func Position(m *service.Message) (position testengine.Position, ok bool) {
	offset, ok := Int(m, testengine.MetaOffset)
	if !ok {
		return testengine.Position{}, false
	}
	partition, _ := Int(m, testengine.MetaPartition)
	return testengine.Position{LogID: Text(m, testengine.MetaLogID), Partition: int(partition), Offset: offset}, true
}

// Follow gives a new message the place in the log of the message it comes from:
// position, log time, and what an output has to know of its delivery.
func Follow(out, of *service.Message) {
	for _, key := range []string{
		testengine.MetaLogID, testengine.MetaTopic, testengine.MetaPartition, testengine.MetaOffset, testengine.MetaLogTime,
		testengine.MetaReceivedAt, testengine.MetaCycle, testengine.MetaSilent,
		testengine.MetaBatchBegin, testengine.MetaBatchEnd,
	} {
		if v, ok := of.MetaGetMut(key); ok {
			out.MetaSetMut(key, v)
		}
	}
}

// NotRemembered returns the error of a message whose record the state has not
// taken. Outputs give such a batch back whole: to pass it on would lose what the
// state should know.
func NotRemembered(batch service.MessageBatch) error {
	for _, m := range batch {
		if err := m.GetError(); err != nil && errors.Is(err, testengine.ErrNotRemembered) {
			return err
		}
	}
	return nil
}

// Silent says that the message only brings state back: its outputs are there already.
func Silent(m *service.Message) bool {
	switch silent := value(m, testengine.MetaSilent).(type) {
	case bool:
		return silent
	case string:
		return silent == "true"
	}
	return false
}

func value(m *service.Message, key string) any {
	v, _ := m.MetaGetMut(key)
	return v
}
