package message

import (
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// ToRecord makes the record that a message is written to a topic as. The record
// shares the message's content. A message without a kind is not ours: it is
// refused, and whoever writes it writes its bytes.
func ToRecord(m *service.Message) (*testengine.Record, error) {
	r := &testengine.Record{Kind: Kind(m), Org: Text(m, testengine.MetaOrg), Suite: Text(m, testengine.MetaSuite)}
	var err error
	switch r.Kind {
	case testengine.KindBlock:
		r.Value, err = Get[testengine.Block](m)
	case testengine.KindUploadReport:
		r.Value, err = Get[testengine.UploadReport](m)
	case testengine.KindRun:
		r.Value, err = Get[testengine.Run](m)
	case testengine.KindVerdict:
		r.Value, err = Get[testengine.Verdict](m)
	case testengine.KindUpload, testengine.KindDuplicate, testengine.KindChange, testengine.KindTick:
		err = logRecord(m, r)
	default:
		return nil, fmt.Errorf("making a record of a message: its %s %q is none of ours", testengine.MetaKind, r.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("making a record of kind %s: %w", r.Kind, err)
	}
	return r, nil
}

// logRecord fills in what records of the log carry: facts, further metadata and the body.
func logRecord(m *service.Message, r *testengine.Record) (err error) {
	r.DefaultBranch = Text(m, testengine.MetaDefaultBranch)
	r.UploadID = Text(m, testengine.MetaUploadID)
	r.ContentType = Text(m, testengine.MetaContentType)
	r.ContentEncoding = Text(m, testengine.MetaContentEncoding)
	r.ReceivedAt, _ = Int(m, testengine.MetaReceivedAt)
	r.Chunk = Chunk(m)
	if id := Text(m, testengine.MetaOriginLogID); id != "" {
		partition, _ := Int(m, testengine.MetaOriginPartition)
		offset, _ := Int(m, testengine.MetaOriginOffset)
		r.Origin = &testengine.Position{LogID: id, Partition: int(partition), Offset: offset}
	}
	_ = m.MetaWalkMut(func(key string, _ any) error {
		if !recordMeta[key] && (r.Chunk == nil || !chunkMeta[key]) && !strings.HasPrefix(key, "kafka_") {
			r.Meta = append(r.Meta, testengine.Tag{Key: key, Value: Text(m, key)})
		}
		return nil
	})
	r.Body, err = m.AsBytes()
	return err
}

// recordMeta is the metadata that a record has fields for, or that its log gives it anew.
var recordMeta = map[string]bool{
	testengine.MetaKind: true, testengine.MetaOrg: true, testengine.MetaSuite: true,
	testengine.MetaDefaultBranch: true, testengine.MetaUploadID: true, testengine.MetaReceivedAt: true,
	testengine.MetaContentType: true, testengine.MetaContentEncoding: true, testengine.MetaBodyGiven: true, testengine.MetaWaited: true,
	testengine.MetaLogID: true, testengine.MetaPartition: true, testengine.MetaOffset: true, testengine.MetaLogTime: true,
	testengine.MetaOriginLogID: true, testengine.MetaOriginPartition: true, testengine.MetaOriginOffset: true,
	testengine.MetaCycle: true, testengine.MetaSilent: true, testengine.MetaRangeBegin: true, testengine.MetaRangeEnd: true,
	testengine.MetaBatchBegin: true, testengine.MetaBatchEnd: true,
}

// chunkMeta is what Record.Chunk stands for.
var chunkMeta = map[string]bool{
	testengine.MetaChunkMode: true, testengine.MetaChunkIndex: true, testengine.MetaChunkCount: true, testengine.MetaChunkFirstIndex: true,
}

// FromRecord makes the message that a decoded record travels as. Whoever read
// the record adds its place in the log.
func FromRecord(r *testengine.Record) *service.Message {
	m := service.NewMessage(nil)
	PutRecord(m, r)
	return m
}

// PutRecord makes the message carry a decoded record; its other metadata stays.
func PutRecord(m *service.Message, r *testengine.Record) {
	if r.Value != nil {
		Set(m, r.Kind, r.Value)
	} else {
		m.SetBytes(r.Body)
		m.MetaSetMut(testengine.MetaKind, string(r.Kind))
		logFacts(m, r)
	}
	m.MetaSetMut(testengine.MetaOrg, r.Org)
	m.MetaSetMut(testengine.MetaSuite, r.Suite)
	switch v := r.Value.(type) {
	case *testengine.Block:
		m.MetaSetMut(testengine.MetaUploadID, v.Upload.ID)
		m.MetaSetMut(testengine.MetaRunKey, v.Upload.RunKey)
		m.MetaSetMut(testengine.MetaBranch, v.Upload.Branch)
		m.MetaSetMut(testengine.MetaHasFailures, v.HasFailures())
	case *testengine.UploadReport:
		m.MetaSetMut(testengine.MetaUploadID, v.UploadID)
	case *testengine.Run:
		m.MetaSetMut(testengine.MetaRunKey, v.RunKey)
		m.MetaSetMut(testengine.MetaBranch, v.Branch)
	}
}

func logFacts(m *service.Message, r *testengine.Record) {
	for _, pair := range r.Meta {
		if !recordMeta[pair.Key] { // A writer that is not ours must not say where a record comes from.
			m.MetaSetMut(pair.Key, pair.Value)
		}
	}
	m.MetaSetMut(testengine.MetaReceivedAt, r.ReceivedAt)
	for _, fact := range [...]testengine.Tag{
		{Key: testengine.MetaDefaultBranch, Value: r.DefaultBranch},
		{Key: testengine.MetaUploadID, Value: r.UploadID},
		{Key: testengine.MetaContentType, Value: r.ContentType},
		{Key: testengine.MetaContentEncoding, Value: r.ContentEncoding},
	} {
		if fact.Value != "" {
			m.MetaSetMut(fact.Key, fact.Value)
		}
	}
	if c := r.Chunk; c != nil {
		m.MetaSetMut(testengine.MetaChunkMode, testengine.ChunkRecords)
		m.MetaSetMut(testengine.MetaChunkIndex, int64(c.Index))
		m.MetaSetMut(testengine.MetaChunkCount, int64(c.Count))
		m.MetaSetMut(testengine.MetaChunkFirstIndex, int64(c.FirstIndex))
	}
	if r.Origin != nil {
		m.MetaSetMut(testengine.MetaOriginLogID, r.Origin.LogID)
		m.MetaSetMut(testengine.MetaOriginPartition, int64(r.Origin.Partition))
		m.MetaSetMut(testengine.MetaOriginOffset, r.Origin.Offset)
	}
}
