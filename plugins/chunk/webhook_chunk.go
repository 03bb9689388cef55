// Package chunk carries payloads of any size through logs of small messages:
// webhook_chunk cuts them, webhook_reassemble makes them whole again. There are
// two of the latter: the input holds acknowledgements until a payload is whole
// (package join), the processor holds the pieces in the state of a log whose
// offsets move on (package hold).
package chunk

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// uploadLimit is the size of an upload's chunks. It belongs to the cut's version
// (plugins/upload): where an upload is cut must depend on its body alone.
const uploadLimit = 900_000

func init() {
	service.MustRegisterProcessor("webhook_chunk", chunkSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return chunkerFromParsed(conf, res)
		})
}

// chunker is the processor. It keeps nothing between messages.
type chunker struct {
	mode, format  string
	path          []string
	limit         int
	maxDecoded    int
	payloadID     *service.InterpolatedString
	claims        claims
	payloads, out *service.MetricCounter
	log           *service.Logger
}

func chunkerFromParsed(conf *service.ParsedConfig, res *service.Resources) (*chunker, error) {
	c := &chunker{
		payloads: res.Metrics().NewCounter("testengine_chunk_payloads_total", "mode"),
		out:      res.Metrics().NewCounter("testengine_chunks_total", "mode"),
		log:      res.Logger(),
	}
	var err error
	p := fields.Into(&err, conf)
	c.mode, c.format = p.Text(cfMode), p.Text(cfFormat)
	if path := p.Text(cfPath); path != "" {
		c.path = strings.Split(path, ".")
	}
	c.limit, c.maxDecoded = sizeFrom(p, cfMaxBytes), sizeFrom(p, cfDecoded)
	c.payloadID = p.Interpolated(cfPayloadID)
	c.claims = claimsFrom(p.Within(cfClaimCheck), res)
	return c, err
}

// sizeFrom reads a size between 64 bytes and 2 GiB.
func sizeFrom(p fields.Reader, field string) int { return int(p.BytesWithin(64, 2<<30, field)) }

// Process implements service.Processor.
func (c *chunker) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	kind := message.Kind(m)
	if kind != "" && kind != testengine.KindUpload {
		return service.MessageBatch{m}, nil
	}
	body, err := m.AsBytes()
	if err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	limit := c.limit
	if kind == testengine.KindUpload {
		limit = uploadLimit
	}
	if c.claims.wants(len(body)) {
		return c.claim(ctx, m, body)
	}
	if len(body) <= limit {
		c.payloads.Incr(1, "whole")
		return service.MessageBatch{m}, nil
	}
	if c.mode == modeRecords {
		chunks, unpacked, err := c.records(m, kind, body, limit)
		if err == nil {
			return c.chunks(m, chunks, unpacked), nil
		}
		c.log.Debugf("Cutting a payload of %d bytes by bytes: %v", len(body), err)
	}
	return c.pieces(m, body, limit)
}

// chunks makes a message of every chunk. They are copies: the envelope stands in
// front of each.
func (c *chunker) chunks(m *service.Message, chunks []cut.Chunk, unpacked bool) service.MessageBatch {
	batch := make(service.MessageBatch, len(chunks))
	for i := range chunks {
		part := m.Copy()
		part.SetBytes(chunks[i].Append(make([]byte, 0, chunks[i].Len())))
		number(part, modeRecords, i, len(chunks))
		part.MetaSetMut(testengine.MetaChunkFirstIndex, int64(chunks[i].First))
		if unpacked {
			part.MetaDelete(testengine.MetaContentEncoding)
		}
		batch[i] = part
	}
	c.count(modeRecords, len(batch))
	return batch
}

// pieces makes a message of every piece. They alias the payload.
func (c *chunker) pieces(m *service.Message, body []byte, limit int) (service.MessageBatch, error) {
	id, err := c.idOf(m, body)
	if err != nil {
		return nil, err
	}
	sum := checksum(body)
	pieces := cut.Bytes(body, limit)
	batch := make(service.MessageBatch, len(pieces))
	for i, piece := range pieces {
		part := m.Copy()
		part.SetBytes(piece)
		number(part, modeBytes, i, len(pieces))
		part.MetaSetMut(testengine.MetaPayloadID, id)
		part.MetaSetMut(testengine.MetaPayloadBytes, int64(len(body)))
		part.MetaSetMut(testengine.MetaPayloadChecksum, sum)
		batch[i] = part
	}
	c.count(modeBytes, len(batch))
	return batch, nil
}

func (c *chunker) count(mode string, chunks int) {
	c.payloads.Incr(1, mode)
	c.out.Incr(int64(chunks), mode)
}

func number(m *service.Message, mode string, index, count int) {
	m.MetaSetMut(testengine.MetaChunkMode, mode)
	m.MetaSetMut(testengine.MetaChunkIndex, int64(index))
	m.MetaSetMut(testengine.MetaChunkCount, int64(count))
}

// idOf names a payload.
func (c *chunker) idOf(m *service.Message, body []byte) (string, error) {
	id, err := c.payloadID.TryString(m)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", cfPayloadID, err)
	}
	if id == "" || id == "null" {
		id = message.Text(m, testengine.MetaUploadID)
	}
	if id == "" {
		id = checksum(body)
	}
	return id, nil
}

// checksum is XXH3-128 in hexadecimal.
func checksum(body []byte) string {
	sum := xxh3.Hash128(body).Bytes()
	return hex.EncodeToString(sum[:])
}

// Close implements service.Processor.
func (*chunker) Close(context.Context) error { return nil }
