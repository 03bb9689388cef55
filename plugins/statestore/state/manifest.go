package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// A manifest says of what files a partition's state consists: a base and the
// delta segments from First on. What the deltas hold beyond S is found by
// reading them.
type manifest struct {
	owner
	Number int64    `json:"number"`
	Base   *baseRef `json:"base,omitempty"`
	// First is the oldest segment needed beside the base.
	First    int64        `json:"first_segment"`
	Segments []segmentRef `json:"segments,omitempty"`
	// S is the last record whose effect these files contain, -1 for none.
	S      int64       `json:"s"`
	Time   int64       `json:"time"`
	Tables []tableInfo `json:"tables,omitempty"`
	// Epoch counts the resets: what was written before one counts no more.
	Epoch int64 `json:"epoch,omitempty"`
	// Origin is the record before which a reset made the state empty: processors
	// may be new there as where the log begins.
	Origin int64 `json:"origin,omitempty"`
}

type baseRef struct {
	Number int64 `json:"number"`
	Next   int64 `json:"next"`
	Bytes  int64 `json:"bytes"`
	// LastSegment is the last segment there was when the base was merged: a cut
	// in a later one can void the base.
	LastSegment int64 `json:"last_segment"`
}

type segmentRef struct {
	Number int64 `json:"number"`
	Bytes  int64 `json:"bytes"`
}

type tableInfo struct {
	ID    uint8  `json:"id"`
	Name  string `json:"name"`
	Logic string `json:"logic"`
	Last  int64  `json:"last"`
	Time  int64  `json:"time"`
}

// sealedManifest is what the file holds: the manifest and a checksum of its bytes.
type sealedManifest struct {
	Manifest json.RawMessage `json:"manifest"`
	Checksum uint32          `json:"checksum"`
}

var errManifest = errors.New("the manifest does not verify")

// writeManifest makes the file appear whole or not at all.
func writeManifest(d disk.Disk, dir string, m manifest) error {
	whole, err := sealJSON(m)
	if err != nil {
		return err
	}
	name := numbered(dir, manifestPrefix, m.Number, manifestSuffix)
	if err := disk.Replace(d, name, whole); err != nil {
		return fmt.Errorf("writing a manifest: %w", err)
	}
	return nil
}

func readManifest(d disk.Disk, name string) (m manifest, err error) {
	whole, err := disk.Read(d, name)
	if err != nil {
		return m, err
	}
	if err := openSealed(whole, &m); err != nil {
		return m, fmt.Errorf("reading %s: %w", path.Base(name), err)
	}
	return m, nil
}

// sealJSON encodes a manifest with its checksum.
func sealJSON(m any) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing a manifest: %w", err)
	}
	whole, err := json.Marshal(sealedManifest{Manifest: body, Checksum: crc32.Checksum(body, castagnoli)})
	if err != nil {
		return nil, fmt.Errorf("writing a manifest: %w", err)
	}
	return whole, nil
}

// openSealed is the guard against manifests that are torn or rotten.
func openSealed(whole []byte, m any) error {
	var sealed sealedManifest
	if json.Unmarshal(whole, &sealed) != nil || crc32.Checksum(sealed.Manifest, castagnoli) != sealed.Checksum {
		return errManifest
	}
	if json.Unmarshal(sealed.Manifest, m) != nil {
		return errManifest
	}
	return nil
}
