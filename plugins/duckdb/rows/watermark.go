package rows

import (
	"errors"
	"fmt"
	"maps"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// ErrOtherLog is in the error about records of a log that the database is not of.
var ErrOtherLog = errors.New("give this log a database of its own, or put the log's folder back")

// Mark is how far one partition is stored: everything before record Next, and
// of Next its first First executions, which belong to row OpenUpload.
type Mark struct {
	Next       int64
	First      int
	OpenUpload uint32
	Time       int64 // unix microseconds
}

// Marks are the watermarks of one log's partitions.
type Marks struct {
	LogID string
	Of    map[int]Mark
}

// Clone copies the marks, so that they can be moved and thrown away.
func (m Marks) Clone() Marks { return Marks{LogID: m.LogID, Of: maps.Clone(m.Of)} }

// Check refuses the records of another log.
func (m Marks) Check(logID string) error {
	if len(m.Of) > 0 && logID != m.LogID {
		return fmt.Errorf("the database holds records of log %q and cannot take those of log %q: %w", m.LogID, logID, ErrOtherLog)
	}
	return nil
}

// reach moves the mark to the position's record and reports whether something
// of the record may still be missing. A greater offset ends the record before.
func (m Marks) reach(p testengine.Position) (Mark, bool) {
	mark, ok := m.Of[p.Partition]
	switch {
	case !ok || p.Offset > mark.Next:
		return Mark{Next: p.Offset, Time: mark.Time}, true
	case p.Offset < mark.Next:
		return mark, false
	default:
		return mark, true
	}
}
