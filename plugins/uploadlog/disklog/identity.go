package disklog

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	identityName  = "log.json"
	formatVersion = 1
	defaultLanes  = 4
)

// identity is log.json: written once, when the log is made.
type identity struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Lanes   int    `json:"lanes"`
	// Salt begins every checksum, so that no frame of another log, and none that
	// a client hides in a body, passes for one of this log.
	Salt uint32 `json:"salt"`
}

func (l *Log) openIdentity() error {
	name := path.Join(l.dir, identityName)
	raw, err := disk.Read(l.disk, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.options.ReadOnly:
		return fmt.Errorf("there is no upload log in %s: %w", l.dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return l.makeIdentity(name)
	case err != nil:
		return fmt.Errorf("reading the log's identity: %w", err)
	}
	if err := json.Unmarshal(raw, &l.head); err != nil {
		return fmt.Errorf("reading the log's identity from %s: %w", name, err)
	}
	if l.head.Version != formatVersion || l.head.ID == "" || l.head.Lanes < 1 || l.head.Lanes > MaxLanes {
		return fmt.Errorf("%s is not the identity of a log that this version knows (format %d)", name, formatVersion)
	}
	if l.options.Lanes != 0 && l.options.Lanes != l.head.Lanes {
		return fmt.Errorf("the log in %s was made with %d lanes and the configuration says %d: set lanes to %d, or give a new folder",
			l.dir, l.head.Lanes, l.options.Lanes, l.head.Lanes)
	}
	return nil
}

func (l *Log) makeIdentity(name string) error {
	names, err := l.disk.List(l.dir)
	if err != nil {
		return fmt.Errorf("listing the log folder: %w", err)
	}
	for _, found := range names {
		if _, ok := segmentSequence(found); ok {
			return fmt.Errorf("%s has segments but no %s: put it back, or give a new folder", l.dir, identityName)
		}
	}
	var random [20]byte
	if _, err := io.ReadFull(l.options.Random, random[:]); err != nil {
		return fmt.Errorf("making the log's identity: %w", err)
	}
	l.head = identity{
		Version: formatVersion,
		ID:      testengine.UploadLogPrefix + hex.EncodeToString(random[:12]),
		Lanes:   l.options.Lanes,
		Salt:    binary.LittleEndian.Uint32(random[16:]),
	}
	if l.head.Lanes == 0 {
		l.head.Lanes = defaultLanes
	}
	raw, err := json.Marshal(l.head)
	if err != nil {
		return err
	}
	if err := disk.Replace(l.disk, name, append(raw, '\n')); err != nil {
		return fmt.Errorf("writing the log's identity: %w", err)
	}
	// The folder's own name must survive a power cut too.
	if err := l.disk.SyncDir(path.Dir(l.dir)); err != nil {
		return fmt.Errorf("syncing the folder of the log: %w", err)
	}
	return nil
}
