package upload

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/seen"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

var defaultLimits = assemble.DefaultLimits()

// Process implements service.Processor.
func (d *decoder) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	kind := message.Kind(m)
	upload := kind == "" || kind == testengine.KindUpload
	position, logged := message.Position(m)
	if !upload && !logged {
		return service.MessageBatch{m}, nil
	}
	facts, body, poison := d.factsOf(m, position, upload)
	chunk := message.Chunk(m)
	facts.Continues = !first(chunk)
	duplicate := kind == testengine.KindDuplicate
	if logged {
		known := false
		err := d.lanes.Take(ctx, m, facts.Time, func(r *stateful.Record[*state.Table]) error {
			known = seen.Record(r.Table, r.Applied, r.Offset, d.window.Milliseconds(), uploadKey(upload, facts.UploadID, chunk))
			return r.End()
		})
		if err != nil {
			return nil, fmt.Errorf("remembering upload %v: %w", position, err)
		}
		duplicate = duplicate || known
	}
	switch {
	case duplicate:
		d.counters.duplicate(chunk)
		return service.MessageBatch{reportMessage(m, duplicateReport(facts, chunk))}, nil
	case !upload:
		return service.MessageBatch{m}, nil
	}
	if poison != nil {
		return d.messages(m, assemble.New(facts, "", d.limits).Refuse(poison, ""), chunk, logged), nil
	}
	result := d.decode(m, facts, body)
	return d.messages(m, result, chunk, logged), nil
}

// factsOf collects what door and log have said about a message.
func (d *decoder) factsOf(m *service.Message, position testengine.Position, upload bool) (facts assemble.Facts, body []byte, err error) {
	facts = assemble.Facts{
		Position:      position,
		UploadID:      message.Text(m, testengine.MetaUploadID),
		Org:           message.Text(m, testengine.MetaOrg),
		Suite:         message.Text(m, testengine.MetaSuite),
		DefaultBranch: message.Text(m, testengine.MetaDefaultBranch),
	}
	var timed, loggedTime bool
	facts.ReceivedAt, timed = message.Int(m, testengine.MetaReceivedAt)
	if facts.Time, loggedTime = message.Int(m, testengine.MetaLogTime); !loggedTime {
		facts.Time = facts.ReceivedAt
	}
	if !upload {
		return facts, nil, nil
	}
	if body, err = m.AsBytes(); err != nil {
		return facts, nil, fmt.Errorf("reading the upload: %w", err)
	}
	facts.Bytes = len(body)
	if facts.Org == "" {
		if facts.Org, err = d.org.TryString(m); err != nil {
			return facts, nil, fmt.Errorf("reading org: %w", err)
		}
	}
	if facts.Suite == "" {
		if facts.Suite, err = d.suite.TryString(m); err != nil {
			return facts, nil, fmt.Errorf("reading suite: %w", err)
		}
	}
	if facts.UploadID == "" {
		facts.UploadID = message.UploadID(facts.Org, facts.Suite, body)
	}
	if !timed {
		facts.ReceivedAt = d.now().UnixMilli()
		if !loggedTime {
			facts.Time = facts.ReceivedAt
		}
	}
	return facts, body, nil
}

var errDied = errors.New("decoding died of this upload, which is a mistake of this program: its log has the place, please report it")

// decode unpacks and decodes a body. What cannot be read becomes a report, and so
// does a body that our code dies of: whoever reads the log again would die too.
func (d *decoder) decode(m *service.Message, facts assemble.Facts, body []byte) (result assemble.Result) {
	defer func() {
		if cause := recover(); cause != nil {
			d.log.Errorf("Decoding upload %s (%s/%s, %s) died: %v\n%s", facts.UploadID, facts.Org, facts.Suite, message.Place(m), cause, debug.Stack())
			result = assemble.New(facts, "", d.limits).Refuse(errDied, "")
		}
	}()
	d.counters.bytes.Incr(int64(len(body)))
	unpacked, err := d.unpack(message.Text(m, testengine.MetaContentEncoding), body)
	if err != nil {
		return assemble.New(facts, "", d.limits).Refuse(err, "")
	}
	return d.read(facts, message.Text(m, testengine.MetaContentType), unpacked, d.limits)
}

var errEncoding = errors.New("this content encoding is not read here, send gzip, zstd, deflate or none")

func (d *decoder) unpack(word string, body []byte) ([]byte, error) {
	encoding, known := unpack.Named(word)
	if !known {
		return nil, fmt.Errorf("content encoding %q: %w", assemble.Snippet(word), errEncoding)
	}
	if encoding == unpack.None {
		encoding = unpack.Guess(body)
	}
	if encoding != unpack.None {
		return unpack.Append(encoding, nil, body, d.maxDecoded)
	}
	if len(body) > d.maxDecoded {
		return nil, unpack.ErrTooLarge
	}
	return body, nil
}

// messages makes the messages of a record: blocks, then the report.
func (d *decoder) messages(m *service.Message, result assemble.Result, chunk *testengine.Chunk, logged bool) service.MessageBatch {
	report := result.Report
	if chunk != nil {
		report.Chunk = chunk
		for i := range report.Problems {
			if report.Problems[i].Index >= 0 {
				report.Problems[i].Index += chunk.FirstIndex
			}
		}
	}
	d.counters.count(result)
	batch := make(service.MessageBatch, 0, len(result.Blocks)+1)
	for _, block := range result.Blocks {
		out := m.Copy()
		message.Set(out, testengine.KindBlock, block)
		out.MetaSetMut(testengine.MetaOrg, block.Upload.Org)
		out.MetaSetMut(testengine.MetaSuite, block.Upload.Suite)
		out.MetaSetMut(testengine.MetaUploadID, block.Upload.ID)
		out.MetaSetMut(testengine.MetaRunKey, block.Upload.RunKey)
		out.MetaSetMut(testengine.MetaBranch, block.Upload.Branch)
		out.MetaSetMut(testengine.MetaHasFailures, block.HasFailures())
		batch = append(batch, out)
	}
	if !logged && d.reports == reportsProblems && result.NothingToTell() {
		return batch
	}
	return append(batch, reportMessage(m, report))
}

func reportMessage(m *service.Message, report *testengine.UploadReport) *service.Message {
	out := m.Copy()
	message.Set(out, testengine.KindUploadReport, report)
	out.MetaSetMut(testengine.MetaOrg, report.Org)
	out.MetaSetMut(testengine.MetaSuite, report.Suite)
	out.MetaSetMut(testengine.MetaUploadID, report.UploadID)
	return out
}

func duplicateReport(facts assemble.Facts, chunk *testengine.Chunk) *testengine.UploadReport {
	return &testengine.UploadReport{
		Chunk:    chunk,
		Position: facts.Position, UploadID: facts.UploadID, Org: facts.Org, Suite: facts.Suite,
		ReceivedAt: facts.ReceivedAt, Time: facts.Time, Bytes: facts.Bytes, Duplicate: true,
	}
}

// uploadKey is the key of duplicates, 0 for a record that is no upload. A piece
// has a key of its own: the others of its upload are none of its duplicates.
func uploadKey(upload bool, id string, chunk *testengine.Chunk) uint64 {
	if !upload {
		return 0
	}
	key := testengine.Hash(0, id)
	if chunk != nil {
		key = testengine.HashUint(key, uint64(chunk.Index)+1)
	}
	return max(1, key)
}
