package uploadlog

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

// entriesFromMessage makes the message's log entries: one, or for a change that
// concerns every suite one for each lane, all with the same content. In front
// of another log it is one: that log has its own partitions.
func entriesFromMessage(m *service.Message, log *disklog.Log, now int64, spooled bool) ([]disklog.Entry, error) {
	body, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	e := disklog.Entry{Kind: message.Kind(m), ReceivedAt: now, Body: body}
	if given, ok := m.MetaGetMut(testengine.MetaBodyGiven); ok {
		e.Given, _ = given.(bool)
	}
	// Time that has not come yet would hold T there for good.
	if received, ok := message.Int(m, testengine.MetaReceivedAt); ok && received < now {
		e.ReceivedAt = received
	}
	if e.Kind == testengine.KindUpload {
		e.Key = disklog.Key{Upload: message.Text(m, testengine.MetaUploadID)}
	}
	e.Meta = pairsFromMessage(m, e.ReceivedAt)
	org, suite := message.Text(m, testengine.MetaOrg), message.Text(m, testengine.MetaSuite)
	e.Owner = org
	if e.Kind == testengine.KindChange && suite == "" && !spooled {
		entries := make([]disklog.Entry, log.Identity().Partitions)
		for lane := range entries {
			entries[lane] = e
			entries[lane].Lane = lane
		}
		return entries, nil
	}
	e.Lane = log.LaneOf(testengine.SuiteSeed(org, suite))
	return []disklog.Entry{e}, nil
}

func pairsFromMessage(m *service.Message, receivedAt int64) []disklog.Pair {
	pairs := make([]disklog.Pair, 1, 12)
	pairs[0] = disklog.Pair{Name: testengine.MetaReceivedAt, Number: receivedAt, IsNumber: true}
	_ = m.MetaWalkMut(func(key string, value any) error {
		switch key {
		case testengine.MetaKind, testengine.MetaReceivedAt, testengine.MetaLogID,
			testengine.MetaPartition, testengine.MetaOffset, testengine.MetaLogTime,
			testengine.MetaCycle, testengine.MetaSilent, testengine.MetaBatchBegin, testengine.MetaBatchEnd,
			testengine.MetaBodyGiven, testengine.MetaWaited:
			return nil // A log gives these itself, or they hold no longer.
		}
		pair := disklog.Pair{Name: key}
		switch v := value.(type) {
		case int64:
			pair.Number, pair.IsNumber = v, true
		case int:
			pair.Number, pair.IsNumber = int64(v), true
		case string:
			pair.Text = v
		default:
			pair.Text, _ = m.MetaGet(key)
		}
		pairs = append(pairs, pair)
		return nil
	})
	return pairs
}

// messageFromRecord makes the message that a record travels as.
func messageFromRecord(r *disklog.Record, logID string) *service.Message {
	m := service.NewMessage(r.Body)
	for i := range r.Meta {
		pair := &r.Meta[i]
		if pair.IsNumber {
			m.MetaSetMut(pair.Name, pair.Number)
		} else {
			m.MetaSetMut(pair.Name, pair.Text)
		}
	}
	if r.Kind != "" {
		m.MetaSetMut(testengine.MetaKind, string(r.Kind))
	}
	m.MetaSetMut(testengine.MetaLogID, logID)
	m.MetaSetMut(testengine.MetaPartition, int64(r.Lane))
	m.MetaSetMut(testengine.MetaOffset, r.Number)
	m.MetaSetMut(testengine.MetaLogTime, r.Time)
	return m
}

func batchFromRecords(records []disklog.Record, logID string) service.MessageBatch {
	batch := make(service.MessageBatch, len(records))
	for i := range records {
		batch[i] = messageFromRecord(&records[i], logID)
	}
	return batch
}
