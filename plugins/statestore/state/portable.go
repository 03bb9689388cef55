package state

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// An exported state is lines of JSON: the header, for each partition its own line
// followed by its tables with their entries and timers, and a last line that says
// that it is the last one.
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
		End       bool               `json:"end,omitempty"`
	}
	portablePartition struct {
		Number int   `json:"number"`
		Next   int64 `json:"next"`
	}
)

const (
	portableFormat = 2
	maxPortable    = 1 << 20
)

// Export writes the newest snapshot of every partition in the folder as lines of JSON.
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
	if err := encoder.Encode(portableLine{End: true}); err != nil {
		return fmt.Errorf("exporting the state: %w", err)
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
	// Division shares the state out when the log has more partitions.
	Division Division
}

// Import makes a new state folder of an exported state. With another log the
// state stands before that log's first record: what it knows is the past. If that
// log has more partitions, each goes on with what its predecessor knew of the
// suites that it has now.
func Import(d disk.Disk, dir string, from io.Reader, target Target) error {
	if names, err := d.List(dir); err != nil || len(names) > 0 {
		return errors.Join(err, fmt.Errorf("importing a state: %s is not empty", dir))
	}
	in := importer{disk: d, dir: dir, target: target}
	err := in.read(from)
	if in.lock != nil {
		err = errors.Join(err, in.lock.Close())
	}
	return err
}

type importer struct {
	disk      disk.Disk
	dir       string
	target    Target
	lock      io.Closer
	who       owner
	count     int  // partitions of the state that is read
	elsewhere bool // another log
	// images are what the partition that is read becomes: one for each of its
	// successors. tables are the one that is read, in each of them.
	images []*image
	tables []*Table
	ended  bool
}

// errCutOff is the guard against a file that was not copied whole.
var errCutOff = errors.New("the file was cut off: its last line is missing")

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
	if !in.ended {
		return fmt.Errorf("importing a state: %w", errCutOff)
	}
	return nil
}

func (in *importer) line(number int, line portableLine) error {
	switch {
	case in.ended:
		return errors.New("a line after the last one")
	case number == 1:
		if err := in.header(line); err != nil {
			return err
		}
		return in.prepare()
	case line.End:
		in.ended = true
		return in.finish()
	case line.Partition != nil:
		if err := in.finish(); err != nil {
			return err
		}
		in.begin(line.Partition)
	case len(in.images) == 0:
		return errors.New("a line before the first partition")
	case line.Table != nil:
		in.open(line.Table)
	case len(in.tables) == 0:
		return errors.New("a line before the first table")
	default:
		for _, t := range in.tables {
			if err := t.takeLine(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes the images of a partition's successors, itself if the log has no more.
func (in *importer) begin(p *portablePartition) {
	in.who.Partition = p.Number
	for range in.who.Partitions / in.count {
		i := newImage()
		if !in.elsewhere {
			i.position = p.Next
		}
		in.images = append(in.images, i)
	}
}

func (in *importer) open(info *tableInfo) {
	in.tables = in.tables[:0]
	for _, i := range in.images {
		t := i.table(info.ID, info.Name)
		t.logic, t.time = info.Logic, info.Time
		if !in.elsewhere {
			t.last = info.Last
		}
		in.tables = append(in.tables, t)
	}
}

// takeLine takes an entry or a timer.
func (t *Table) takeLine(line portableLine) error {
	switch {
	case line.Timer != nil:
		t.timers.set(*line.Timer, line.Due)
	case line.Key != nil && line.Cell != nil:
		t.putCell(*line.Key, *line.Cell)
	case line.Key != nil:
		t.putValue(*line.Key, line.Value)
	default:
		return errors.New("the line says nothing known")
	}
	return nil
}

// prepare makes the folder, once it is known that the state may go there.
func (in *importer) prepare() (err error) {
	if err = in.disk.MkdirAll(in.dir); err != nil {
		return err
	}
	in.lock, err = in.disk.Lock(in.dir)
	return err
}

func (in *importer) header(line portableLine) error {
	if line.Format != portableFormat {
		return fmt.Errorf("format %d: this program reads %d", line.Format, portableFormat)
	}
	if line.Count < 1 {
		return fmt.Errorf("the state says that it has %d partitions", line.Count)
	}
	in.who, in.count = owner{Pipeline: line.Pipeline, LogID: line.LogID, Partitions: line.Count}, line.Count
	if in.target.Pipeline != "" {
		in.who.Pipeline = in.target.Pipeline
	}
	log := in.target.Log
	if log.ID == "" {
		return nil
	}
	in.elsewhere = log.ID != line.LogID
	if came := (testengine.LogIdentity{ID: line.LogID}); came.IsUploadLog() != log.IsUploadLog() {
		return errOtherLanes
	}
	if log.Partitions != line.Count {
		if err := in.checkGrowth(line.Count, log.Partitions); err != nil {
			return err
		}
	}
	in.who.LogID, in.who.Partitions = log.ID, log.Partitions
	return nil
}

// finish writes the partition that was read, or its successors.
func (in *importer) finish() error {
	images, who := in.images, in.who
	in.images, in.tables = nil, nil
	for _, i := range images {
		if in.count != who.Partitions {
			if err := in.target.Division.divide(i, who, in.count); err != nil {
				return err
			}
		}
		if err := writeSnapshot(in.disk, in.dir, who, i, snapshotMarks{}); err != nil {
			return err
		}
		who.Partition += in.count
	}
	return nil
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
