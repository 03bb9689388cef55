package state

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// An exported state is lines of JSON: the header, and for each partition its own
// line followed by its tables with their entries and timers.
type (
	portableLine struct {
		Format    int                `json:"format,omitempty"`
		Pipeline  string             `json:"pipeline,omitempty"`
		LogID     string             `json:"log_id,omitempty"`
		Count     int                `json:"partitions,omitempty"`
		Partition *portablePartition `json:"partition,omitempty"`
		Table     *tableInfo         `json:"table,omitempty"`
		Key       *uint64            `json:"key,omitempty,string"`
		Cell      *uint64            `json:"cell,omitempty,string"`
		Value     []byte             `json:"value,omitempty"`
		Timer     *uint64            `json:"timer,omitempty,string"`
		Due       int64              `json:"due,omitempty"`
	}
	portablePartition struct {
		Number int   `json:"number"`
		Next   int64 `json:"next"`
	}
)

const (
	portableFormat = 1
	maxPortable    = 1 << 20
)

// Export writes the newest snapshot of every partition as lines of JSON.
func Export(ctx context.Context, d disk.Disk, dir string, to io.Writer) error {
	all, err := Snapshots(d, dir)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	encoder := json.NewEncoder(buffered)
	header := portableLine{Format: portableFormat, Pipeline: all[0].Pipeline, LogID: all[0].LogID, Count: all[0].Partitions}
	if err := encoder.Encode(header); err != nil {
		return fmt.Errorf("exporting the state: %w", err)
	}
	for _, s := range all {
		i, _, err := load(ctx, d, dir, s.Partition, noCut)
		if err != nil {
			return fmt.Errorf("exporting partition %d: %w", s.Partition, err)
		}
		if err := exportImage(encoder, s.Partition, i); err != nil {
			return fmt.Errorf("exporting partition %d: %w", s.Partition, err)
		}
	}
	return buffered.Flush()
}

func exportImage(encoder *json.Encoder, partition int, i *image) error {
	err := encoder.Encode(portableLine{Partition: &portablePartition{Number: partition, Next: i.position}})
	for _, t := range i.list() {
		info := t.info()
		err = errors.Join(err, encoder.Encode(portableLine{Table: &info}))
		t.Range(func(key, cell uint64, value []byte) bool {
			line := portableLine{Key: &key, Value: value}
			if value == nil {
				line.Cell = &cell
			}
			err = encoder.Encode(line)
			return err == nil
		})
		t.timers.due.each(func(id, word uint64) bool {
			err = errors.Join(err, encoder.Encode(portableLine{Timer: &id, Due: int64(cellOf(word))}))
			return err == nil
		})
	}
	return err
}

// Target says where an exported state goes on.
type Target struct {
	// Log is the log it goes on with; the zero value is the log it came from.
	Log testengine.LogIdentity
	// Pipeline is whose state it becomes; "" keeps the name.
	Pipeline string
}

// Import makes a new state folder of an exported state. With another log the
// state stands before that log's first record: what it knows is the past. The
// number of partitions has to be the same: a table's keys are hashes that do not
// say which suite they belong to, so nobody could share them out anew.
func Import(d disk.Disk, dir string, from io.Reader, target Target) error {
	if names, err := d.List(dir); err != nil || len(names) > 0 {
		return errors.Join(err, fmt.Errorf("importing a state: %s is not empty", dir))
	}
	if err := d.MkdirAll(dir); err != nil {
		return fmt.Errorf("importing a state: %w", err)
	}
	lock, err := d.Lock(dir)
	if err != nil {
		return fmt.Errorf("importing a state: %w", err)
	}
	in := importer{disk: d, dir: dir, target: target}
	return errors.Join(in.read(from), lock.Close())
}

type importer struct {
	disk      disk.Disk
	dir       string
	target    Target
	who       owner
	elsewhere bool // another log
	image     *image
	table     *Table
}

func (in *importer) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxPortable)
	number := 0
	for lines.Scan() {
		number++
		var line portableLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("importing line %d: %w", number, err)
		}
		if err := in.line(number, line); err != nil {
			return fmt.Errorf("importing line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("importing line %d: %w", number+1, err)
	}
	if number == 0 {
		return errors.New("importing a state: the file is empty")
	}
	return in.finish()
}

func (in *importer) line(number int, line portableLine) error {
	switch {
	case number == 1:
		return in.header(line)
	case line.Partition != nil:
		if err := in.finish(); err != nil {
			return err
		}
		in.who.Partition = line.Partition.Number
		in.image = newImage()
		if !in.elsewhere {
			in.image.position = line.Partition.Next
		}
	case in.image == nil:
		return errors.New("a line before the first partition")
	case line.Table != nil:
		in.table = in.image.table(line.Table.ID, line.Table.Name)
		in.table.logic, in.table.time = line.Table.Logic, line.Table.Time
		if !in.elsewhere {
			in.table.last = line.Table.Last
		}
	case in.table == nil:
		return errors.New("a line before the first table")
	case line.Timer != nil:
		in.table.timers.set(*line.Timer, line.Due)
	case line.Key != nil && line.Cell != nil:
		in.table.putCell(*line.Key, *line.Cell)
	case line.Key != nil:
		in.table.putValue(*line.Key, line.Value)
	default:
		return errors.New("the line says nothing known")
	}
	return nil
}

func (in *importer) header(line portableLine) error {
	if line.Format != portableFormat {
		return fmt.Errorf("format %d: this program reads %d", line.Format, portableFormat)
	}
	in.who = owner{Pipeline: line.Pipeline, LogID: line.LogID, Partitions: line.Count}
	if in.target.Pipeline != "" {
		in.who.Pipeline = in.target.Pipeline
	}
	log := in.target.Log
	if log.ID == "" {
		return nil
	}
	if log.Partitions != line.Count {
		return fmt.Errorf("the state has %d partitions and the log %d: entries do not say which suite they belong to, so a new generation of the topics begins with an empty state", line.Count, log.Partitions)
	}
	in.elsewhere = log.ID != line.LogID
	in.who.LogID = log.ID
	return nil
}

// finish writes the partition that was read.
func (in *importer) finish() error {
	if in.image == nil {
		return nil
	}
	i := in.image
	in.image, in.table = nil, nil
	return writeSnapshot(in.disk, in.dir, in.who, i, snapshotMarks{})
}

type snapshotMarks struct{ epoch, origin int64 }

// writeSnapshot makes a partition's folder that holds just the image.
func writeSnapshot(d disk.Disk, dir string, who owner, i *image, marks snapshotMarks) error {
	f := folder{disk: d, dir: partitionDir(dir, who.Partition)}
	if err := errors.Join(d.MkdirAll(f.dir), d.SyncDir(dir)); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	base := baseRef{Number: f.take(), Next: i.position}
	tables := i.list()
	slices.SortFunc(tables, func(a, b *Table) int { return int(a.id) - int(b.id) })
	m := manifest{owner: who, Base: &base, S: i.position - 1, Number: f.take(), First: f.take(), Epoch: marks.epoch, Origin: marks.origin}
	for _, t := range tables {
		m.Tables = append(m.Tables, t.info())
		m.Time = max(m.Time, t.time)
	}
	var err error
	if base.Bytes, err = writeBase(d, baseName(f.dir, base.Number), who, i.position, tables); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if err := d.SyncDir(f.dir); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return writeManifest(d, f.dir, m)
}
