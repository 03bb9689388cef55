package disklog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

const checkpointName = "checkpoint"

// checkpoint says how far the log was synced and how far each lane was done. It
// is written now and then; an old one only costs reading, a missing one too.
type checkpoint struct {
	Log     string           `json:"log"`
	Next    int64            `json:"next"` // Everything below was synced.
	Segment int64            `json:"segment"`
	Offset  int64            `json:"offset"`
	Lanes   []laneCheckpoint `json:"lanes"`
}

type laneCheckpoint struct {
	Cursor int64 `json:"cursor"`
	Count  int64 `json:"count"` // Entries and bytes below the cursor.
	Bytes  int64 `json:"bytes"`
}

// Checkpoint writes the cursors and the synced end to disk if they have moved.
func (l *Log) Checkpoint() error {
	l.checkpoints.Lock()
	defer l.checkpoints.Unlock()
	raw, err := json.Marshal(l.checkpoint())
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	raw = append(strconv.AppendUint(raw, uint64(crc32.Update(l.head.Salt, castagnoli, raw)), 16), '\n')
	if bytes.Equal(raw, l.saved) {
		return nil
	}
	if err := disk.Replace(l.disk, path.Join(l.dir, checkpointName), raw); err != nil {
		return fmt.Errorf("writing the log's checkpoint: %w", err)
	}
	l.saved = raw
	return nil
}

func (l *Log) checkpoint() checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.segments[len(l.segments)-1]
	c := checkpoint{Log: l.head.ID, Next: l.next, Segment: last.sequence, Offset: last.end}
	for i := range l.lanes {
		at := &l.lanes[i]
		c.Lanes = append(c.Lanes, laneCheckpoint{Cursor: at.cursor, Count: at.doneCount, Bytes: at.doneBytes})
	}
	return c
}

// readCheckpoint returns the zero checkpoint when there is none that can be read.
func (l *Log) readCheckpoint() (checkpoint, error) {
	raw, err := disk.Read(l.disk, path.Join(l.dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("reading the log's checkpoint: %w", err)
	}
	end := bytes.IndexByte(raw, '\n') + 1
	sum, err := strconv.ParseUint(string(bytes.TrimSpace(raw[end:])), 16, 32)
	if err != nil || uint32(sum) != crc32.Update(l.head.Salt, castagnoli, raw[:end]) {
		return checkpoint{}, nil //nolint:nilerr // A torn checkpoint is as good as none.
	}
	var c checkpoint
	if err := json.Unmarshal(raw[:end], &c); err != nil || c.Log != l.head.ID || len(c.Lanes) != l.head.Lanes {
		return checkpoint{}, nil //nolint:nilerr // An unreadable checkpoint is as good as none.
	}
	l.saved = raw
	return c, nil
}

// restoreCursors puts the lanes where they were; without a checkpoint at the log's beginning.
func (l *Log) restoreCursors(saved checkpoint) error {
	first := l.segments[0]
	for i := range l.lanes {
		at := &l.lanes[i]
		at.cursor, at.doneCount, at.doneBytes = first.before[i].last+1, first.before[i].count, first.before[i].bytes
		if saved.Lanes == nil || saved.Lanes[i].Cursor <= at.cursor {
			continue
		}
		if saved.Lanes[i].Cursor > l.next {
			return fmt.Errorf("the log in %s ends at entry %d, before the cursor %d of lane %d: restore the folder from a copy",
				l.dir, l.next, saved.Lanes[i].Cursor, i)
		}
		at.cursor, at.doneCount, at.doneBytes = saved.Lanes[i].Cursor, saved.Lanes[i].Count, saved.Lanes[i].Bytes
	}
	return nil
}
