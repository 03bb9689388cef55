package state

import (
	"errors"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// baseHeader begins a base: the whole state of a partition before record Next.
type baseHeader struct {
	owner
	Next   int64          `json:"next"`
	Tables []baseContents `json:"tables"`
}

type baseContents struct {
	tableInfo
	Entries int `json:"entries"`
}

const baseFrameBytes = 256 << 10

var errBase = errors.New("the base does not verify")

// writeBase writes all tables and returns the file's length. The file is synced.
func writeBase(d disk.Disk, name string, o owner, next int64, tables []*Table) (int64, error) {
	header := baseHeader{owner: o, Next: next}
	for _, t := range tables {
		header.Tables = append(header.Tables, baseContents{tableInfo: t.info(), Entries: t.Len()})
	}
	head, err := encodeHeader(header)
	if err != nil {
		return 0, err
	}
	file, err := d.Create(name)
	if err != nil {
		return 0, err
	}
	w := baseWriter{file: file, frames: head}
	for _, t := range tables {
		w.table(t)
	}
	w.frames = appendFrame(w.frames, frame{kind: frameEnd})
	w.write()
	if w.err == nil {
		w.err = file.Sync()
	}
	return w.end, errors.Join(w.err, file.Close())
}

type baseWriter struct {
	file    disk.File
	end     int64
	frames  []byte
	changes []byte
	err     error
}

func (w *baseWriter) table(t *Table) {
	t.entries.each(func(key, word uint64) bool {
		if isValue(word) {
			w.changes = appendValue(w.changes, key, t.slabs.get(valueOf(word)))
		} else {
			w.changes = appendCell(w.changes, key, cellOf(word))
		}
		w.cut(t.id, baseFrameBytes)
		return w.err == nil
	})
	t.timers.due.each(func(id, word uint64) bool {
		w.changes = appendTimer(w.changes, id, int64(cellOf(word)))
		w.cut(t.id, baseFrameBytes)
		return w.err == nil
	})
	w.cut(t.id, 1)
}

// cut makes a frame of the changes once there are so many bytes of them.
func (w *baseWriter) cut(table uint8, atLeast int) {
	if len(w.changes) < atLeast {
		return
	}
	w.frames = appendFrame(w.frames, frame{kind: frameBase, table: table, payload: w.changes})
	w.changes = w.changes[:0]
	w.write()
}

func (w *baseWriter) write() {
	if w.err != nil {
		return
	}
	n, err := w.file.WriteAt(w.frames, w.end)
	w.end, w.err, w.frames = w.end+int64(n), err, w.frames[:0]
}

// readBase loads a base into an image; errBase if anything of it does not verify.
func readBase(d disk.Disk, name string, i *image) error {
	var header baseHeader
	file, err := openFrames(d, name, &header)
	if err != nil {
		return err
	}
	defer file.close()
	for _, contents := range header.Tables {
		t := i.table(contents.ID, contents.Name)
		t.logic, t.last, t.time = contents.Logic, contents.Last, contents.Time
		i.pending[contents.ID] = pendingTable{logic: contents.Logic, last: contents.Last}
		t.entries.reserve(contents.Entries)
	}
	i.position = header.Next
	for {
		f, ok, err := file.next()
		if err != nil {
			return err
		}
		if ok && f.kind == frameEnd {
			return nil
		}
		t := i.tables[f.table]
		if !ok || f.kind != frameBase || t == nil {
			return fmt.Errorf("reading %s: %w", name, errBase)
		}
		if err := t.apply(f.payload); err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
	}
}

func (t *Table) info() tableInfo {
	return tableInfo{ID: t.id, Name: t.name, Logic: t.logic, Last: t.last, Time: t.time}
}
