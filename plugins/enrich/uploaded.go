package enrich

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// uploadedOwners are the TESTOWNERS files that CI has sent, by suite. In a folder
// they outlive the process: ORG/SUITE, each escaped as in a URL.
type uploadedOwners struct {
	folder string
	logger *service.Logger
	mutex  sync.RWMutex
	suites map[string]*ownersFile
}

func newUploadedOwners(folder string, logger *service.Logger) (*uploadedOwners, error) {
	u := &uploadedOwners{folder: folder, logger: logger, suites: map[string]*ownersFile{}}
	if folder == "" {
		return u, nil
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == disk.TemporarySuffix {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's own
		if err != nil {
			return err
		}
		org, orgErr := url.PathUnescape(filepath.Base(filepath.Dir(path)))
		suite, suiteErr := url.PathUnescape(entry.Name())
		if err := errors.Join(orgErr, suiteErr); err != nil {
			return err
		}
		return u.set(org, suite, content)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the owners of %s: %w", folder, err)
	}
	return u, nil
}

// of is the file of a suite, or nil.
func (u *uploadedOwners) of(org, suite string) *ownersFile {
	u.mutex.RLock()
	defer u.mutex.RUnlock()
	return u.suites[org+"/"+suite]
}

func (u *uploadedOwners) set(org, suite string, content []byte) error {
	file := newOwnersFile(u.logger)
	if err := file.load(content); err != nil {
		return err
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.suites[org+"/"+suite] = file
	return nil
}

// take follows a change of the log. What cannot be read leaves all as it was.
func (u *uploadedOwners) take(change *testengine.Change) error {
	if change.Type != testengine.ChangeOwners {
		return nil
	}
	var content string
	if err := json.Unmarshal([]byte(change.Body), &content); err != nil {
		return fmt.Errorf("reading the owners of %s/%s: %w", change.Org, change.Suite, err)
	}
	if err := u.set(change.Org, change.Suite, []byte(content)); err != nil {
		return fmt.Errorf("reading the owners of %s/%s: %w", change.Org, change.Suite, err)
	}
	if u.folder == "" {
		return nil
	}
	return u.keep(change.Org, change.Suite, content)
}

func (u *uploadedOwners) keep(org, suite, content string) error {
	if !filepath.IsLocal(org) || !filepath.IsLocal(suite) || org == "." || suite == "." {
		return fmt.Errorf("keeping the owners of %q/%q: these are no names", org, suite)
	}
	path := filepath.Join(u.folder, url.PathEscape(org), fileOf(suite))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("keeping the owners of %s/%s: %w", org, suite, err)
	}
	if err := disk.Replace(disk.OS(), path, []byte(content)); err != nil {
		return fmt.Errorf("keeping the owners of %s/%s: %w", org, suite, err)
	}
	return nil
}

// fileOf is the name of a suite's file: escaped as in a URL, and never one that
// looks as if another file were being written.
func fileOf(suite string) string {
	name := url.PathEscape(suite)
	if before, temporary := strings.CutSuffix(name, disk.TemporarySuffix); temporary {
		return before + "%2E" + strings.TrimPrefix(disk.TemporarySuffix, ".")
	}
	return name
}
