package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
)

// saveInterval bounds how often the position is written.
const saveInterval = time.Second

// place is how far a world has been delivered.
type place struct {
	World world.Config `json:"world"`
	// Origin is the real time of the world's beginning, Horizon the world time at which live began.
	Origin  int64 `json:"origin"`
	Horizon int64 `json:"horizon"`
	// At is the world time up to which every upload was delivered.
	At int64 `json:"at"`
}

// position keeps the place in a file. Batches come back in any order; the place
// moves on only when all before have come back too.
type position struct {
	place
	path string

	mu        sync.Mutex
	underway  []*sending
	savedAt   time.Time
	savedUpTo int64
}

// sending is a batch that is under way.
type sending struct {
	at   int64
	done bool
}

// openPosition reads the file; without one it begins at begin.
func openPosition(path string, begin place) (*position, error) {
	p := &position{place: begin, path: path}
	if path == "" {
		return p, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the simulator's position: %w", err)
	}
	var kept place
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, fmt.Errorf("reading the simulator's position in %s: %w", path, err)
	}
	if kept.World != begin.World {
		return nil, fmt.Errorf("%s belongs to another world: use its seed and settings, or remove the file and the data that came of it", path)
	}
	p.place, p.savedUpTo = kept, kept.At
	return p, nil
}

// sent notes a batch that ends at that world time. The function it returns says that it was delivered.
func (p *position) sent(at int64) func(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &sending{at: at}
	p.underway = append(p.underway, s)
	return func(now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		s.done = true
		for len(p.underway) > 0 && p.underway[0].done {
			p.At = p.underway[0].at
			p.underway = p.underway[1:]
		}
		if now.Sub(p.savedAt) >= saveInterval {
			p.savedAt = now
			_ = p.write()
		}
	}
}

func (p *position) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write()
}

func (p *position) write() error {
	if p.path == "" || p.At == p.savedUpTo {
		return nil
	}
	if err := writeJSON(p.path, p.place); err != nil {
		return fmt.Errorf("writing the simulator's position: %w", err)
	}
	p.savedUpTo = p.At
	return nil
}

// writeJSON replaces a file as a whole.
func writeJSON(path string, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder for results
		return err
	}
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o644); err != nil { //nolint:gosec // no secrets
		return err
	}
	return os.Rename(path+".new", path)
}
