package enrich

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/owners"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// A watcher reads files again when they change. One that cannot be read, or
// does not parse, keeps what was read before.
type watcher struct {
	logger  *service.Logger
	reloads *service.MetricCounter
	files   []*watched
}

type watched struct {
	name, path string
	load       func(content []byte) error
	seen       disk.Stamp
	complained string
}

// add reads a file for the first time; then it has to be there.
func (w *watcher) add(name, path string, load func([]byte) error) error {
	f := &watched{name: name, path: path, load: load}
	if _, err := f.check(); err != nil {
		return err
	}
	w.files = append(w.files, f)
	return nil
}

// check reads the file if it has changed.
func (f *watched) check() (changed bool, err error) {
	stamp := disk.StampOf(f.path)
	if stamp == f.seen {
		return false, nil
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return false, fmt.Errorf("reading the %s file: %w", f.name, err)
	}
	f.seen = stamp
	if err := f.load(content); err != nil {
		return true, fmt.Errorf("reading the %s file %s: %w", f.name, f.path, err)
	}
	return true, nil
}

func (w *watcher) run(ctx context.Context, every time.Duration) {
	if len(w.files) == 0 || every <= 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.round()
		}
	}
}

func (w *watcher) round() {
	for _, f := range w.files {
		changed, err := f.check()
		if err != nil {
			w.reloads.Incr(1, f.name, "broken")
			if f.complained != err.Error() {
				f.complained = err.Error()
				w.logger.Warnf("keeping what was read before: %v", err)
			}
			continue
		}
		f.complained = ""
		if changed {
			w.reloads.Incr(1, f.name, "loaded")
		}
	}
}

// ownersFile is the newest TESTOWNERS file that could be read.
type ownersFile struct {
	logger *service.Logger
	book   atomic.Pointer[ownersBook]
}

// ownersBook remembers the owners of files under one set of rules.
type ownersBook struct {
	rules *owners.Rules
	mutex sync.RWMutex
	known map[string]string
}

// maxKnownFiles bounds what is remembered; beyond it remembering begins anew.
const maxKnownFiles = 200_000

func newOwnersFile(logger *service.Logger) *ownersFile { return &ownersFile{logger: logger} }

func (o *ownersFile) load(content []byte) error {
	rules, problems := owners.Parse(string(content))
	if len(content) > owners.MaxBytes {
		return problems[0]
	}
	for _, problem := range problems {
		o.logger.Warnf("leaving out of the owners file %v", problem)
	}
	o.book.Store(&ownersBook{rules: rules, known: map[string]string{}})
	return nil
}

func (o *ownersFile) owner(file string) string {
	book := o.book.Load()
	book.mutex.RLock()
	owner, known := book.known[file]
	book.mutex.RUnlock()
	if known {
		return owner
	}
	owner = book.rules.Owner(file)
	book.mutex.Lock()
	defer book.mutex.Unlock()
	if len(book.known) >= maxKnownFiles {
		clear(book.known)
	}
	book.known[strings.Clone(file)] = owner
	return owner
}
