package avro

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// frameHead is Confluent's frame: a byte 0 and the schema's id, the highest byte first.
const frameHead = 5

// Fetch returns the text of a schema that no built-in id names. An error that
// is testengine.ErrUnknownSchema says that nobody has it.
type Fetch func(ctx context.Context, id uint32) (text string, err error)

// Codec is a testengine.RecordCodec. It is safe for concurrent use.
type Codec struct {
	fetch Fetch
	ids   [recordCount]atomic.Uint32 // What a record is written under, 0 before it is known.

	mu    sync.Mutex // Held to learn what an id means.
	plans atomic.Pointer[map[uint32]*plan]
}

var _ testengine.RecordCodec = (*Codec)(nil)

// New makes a codec that knows the built-in ids and, through fetch, others. It
// writes a record once Use has named the id to write it under.
func New(fetch Fetch) *Codec {
	plans := make(map[uint32]*plan)
	for _, record := range Records() {
		for _, version := range record.Versions() {
			p, err := planFor(version.Text)
			if err != nil {
				panic(err) // A schema of the binary itself; the tests parse them all.
			}
			plans[version.ID()] = p
		}
	}
	c := &Codec{fetch: fetch}
	c.plans.Store(&plans)
	return c
}

// NewBuiltIn makes a codec that needs no registry: it writes and reads the built-in ids.
func NewBuiltIn() *Codec {
	c := New(nil)
	for _, record := range Records() {
		c.Use(record, record.Current().ID())
	}
	return c
}

// Use names the id under which a record is written from now on. The id's
// schema is the record's current one.
func (c *Codec) Use(record Record, id uint32) {
	c.learn(id, &plan{record: record})
	c.ids[record].Store(id)
}

// Prepared reports whether the record can be written.
func (c *Codec) Prepared(record Record) bool { return c.ids[record].Load() != 0 }

// Prepare implements testengine.RecordCodec for ids that are known from the beginning.
func (c *Codec) Prepare(_ context.Context, kinds ...testengine.Kind) error {
	for _, kind := range kinds {
		if record, ok := RecordOf(kind); !ok || !c.Prepared(record) {
			return fmt.Errorf("preparing the schema of kind %q: no record is written for it", kind)
		}
	}
	return nil
}

// Append implements testengine.RecordCodec.
func (c *Codec) Append(dst []byte, r *testengine.Record) ([]byte, error) {
	record, ok := RecordOf(r.Kind)
	if !ok {
		return dst, fmt.Errorf("writing a record: no record is of kind %q", r.Kind)
	}
	id := c.ids[record].Load()
	if id == 0 {
		return dst, fmt.Errorf("writing a record of kind %s: its schema was not prepared", r.Kind)
	}
	framed, err := appendValue(binary.BigEndian.AppendUint32(append(dst, 0), id), r)
	if err != nil {
		return dst, fmt.Errorf("writing a record of kind %s: %w", r.Kind, err)
	}
	return framed, nil
}

// Decode implements testengine.RecordCodec.
func (c *Codec) Decode(ctx context.Context, data []byte, r *testengine.Record) error {
	*r = testengine.Record{}
	if len(data) < frameHead || data[0] != 0 {
		return fmt.Errorf("%w: it does not begin with a byte 0 and a schema id", testengine.ErrCorruptRecord)
	}
	id := binary.BigEndian.Uint32(data[1:])
	p, err := c.planOf(ctx, id)
	if err != nil {
		return fmt.Errorf("reading a record with schema id %d: %w", id, err)
	}
	if err := p.read(data[frameHead:], r); err != nil {
		*r = testengine.Record{}
		return fmt.Errorf("%w: reading a %s with schema id %d: %w", testengine.ErrCorruptRecord, p.record, id, err)
	}
	return nil
}

func (c *Codec) planOf(ctx context.Context, id uint32) (*plan, error) {
	if p, ok := (*c.plans.Load())[id]; ok {
		return p, p.refused
	}
	if c.fetch == nil {
		return nil, fmt.Errorf("%w: no registry is configured and the id is not built in", testengine.ErrUnknownSchema)
	}
	text, err := c.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := planFor(text)
	if err != nil {
		p = &plan{refused: err} // An id means the same schema for ever.
	}
	c.learn(id, p)
	return p, err
}

// learn adds what an id means.
func (c *Codec) learn(id uint32, p *plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := maps.Clone(*c.plans.Load())
	known[id] = p
	c.plans.Store(&known)
}
