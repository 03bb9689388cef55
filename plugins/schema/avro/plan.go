package avro

import (
	"bytes"
	"fmt"

	"github.com/twmb/avro"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// plan is how records of one schema id are read.
type plan struct {
	record Record
	// resolved reads another version's layout as ours; nil when the layouts are equal.
	resolved *avro.Schema
	current  *avro.Schema
	// refused says why records of the id cannot be read.
	refused error
}

// planFor looks at a writer's schema: which record of ours it is, and whether
// its layout is the current one.
func planFor(writer string) (*plan, error) {
	theirs, err := avro.Parse(writer)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be parsed: %w", testengine.ErrUnknownSchema, err)
	}
	record, err := recordNamed(theirs)
	if err != nil {
		return nil, err
	}
	ours, err := avro.Parse(record.Current().Text)
	if err != nil {
		return nil, fmt.Errorf("parsing our schema of %s: %w", record, err)
	}
	if bytes.Equal(theirs.Canonical(), ours.Canonical()) {
		return &plan{record: record}, nil
	}
	resolved, err := avro.Resolve(theirs, ours)
	if err != nil {
		return nil, fmt.Errorf("%w: a %s of another version that cannot be read as ours: %w", testengine.ErrUnknownSchema, record, err)
	}
	return &plan{record: record, resolved: resolved, current: ours}, nil
}

func recordNamed(schema *avro.Schema) (Record, error) {
	root := schema.Root()
	name := root.Name
	if root.Namespace != "" {
		name = root.Namespace + "." + name
	}
	for _, record := range Records() {
		if fullNames[record] == name {
			return record, nil
		}
	}
	return 0, fmt.Errorf("%w: it is a %s %q and none of our records", testengine.ErrUnknownSchema, root.Type, name)
}

// read reads a record without its frame. What another version wrote is read
// by the library, written in our layout and read again: slow, and one place
// that knows our values.
func (p *plan) read(data []byte, r *testengine.Record) error {
	if p.resolved != nil {
		var value any
		rest, err := p.resolved.Decode(data, &value)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return errTrailing
		}
		if data, err = p.current.Encode(value); err != nil {
			return err
		}
	}
	return readValue(p.record, data, r)
}

// Compatible says whether what one schema wrote can be read as the other, in
// both directions: a reader of yesterday reads today's records, a reader of
// today yesterday's.
func Compatible(older, newer string) error {
	a, err := avro.Parse(older)
	if err != nil {
		return fmt.Errorf("parsing the older schema: %w", err)
	}
	b, err := avro.Parse(newer)
	if err != nil {
		return fmt.Errorf("parsing the newer schema: %w", err)
	}
	if err := avro.CheckCompatibility(a, b); err != nil {
		return fmt.Errorf("a new reader cannot read old records: %w", err)
	}
	if err := avro.CheckCompatibility(b, a); err != nil {
		return fmt.Errorf("an old reader cannot read new records: %w", err)
	}
	return nil
}
