package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ErrTaken is what PutNew returns for a name that is there already.
var ErrTaken = errors.New("the name is taken")

// A Depot keeps whole files where every node finds them: a shared directory or a
// bucket. A file is there whole or not at all, but for one that PutNew left torn.
// Names are relative, with "/". It is safe for concurrent use.
type Depot interface {
	// Put stores size bytes under a name that nobody else uses.
	Put(ctx context.Context, name string, content io.ReaderAt, size int64) error
	// PutNew stores a small file unless the name is taken (ErrTaken). Of several
	// writers one wins.
	PutNew(ctx context.Context, name string, content []byte) error
	// Get copies the file to the writer and returns its size; a missing one is fs.ErrNotExist.
	Get(ctx context.Context, name string, to io.WriterAt) (size int64, err error)
	// List returns the names of the files in a folder, without the folder, sorted.
	List(ctx context.Context, folder string) ([]string, error)
	// Delete removes the file; a missing one is no error.
	Delete(ctx context.Context, name string) error
}

// remoteFormat is the version of what is written to depots. A manifest with a
// greater one is refused.
const remoteFormat = 1

// A remoteManifest says of which files of the depot a partition's state consists.
type remoteManifest struct {
	Format int          `json:"format"`
	State  manifest     `json:"state"`
	Files  []remoteFile `json:"files"`
}

// A remoteFile is a local file's copy.
type remoteFile struct {
	Local  string `json:"local"`
	Object string `json:"object"`
	Bytes  int64  `json:"bytes"`
}

// objectName names an uploaded file: after the local file, the time of the upload
// in unix milliseconds and a word of the process. So nobody writes a name twice,
// and sweep knows how old a file is.
func objectName(local string, now int64, process string) string {
	suffix := path.Ext(local)
	return fmt.Sprintf("%s.%d.%s%s", strings.TrimSuffix(local, suffix), now, process, suffix)
}

// uploadedAt reads the time from an object's name.
func uploadedAt(object string) (unixMilli int64, ok bool) {
	parts := strings.Split(object, ".")
	if len(parts) < 4 {
		return 0, false
	}
	at, err := strconv.ParseInt(parts[1], 10, 64)
	return at, err == nil
}

func remoteFolder(partition int) string { return fmt.Sprintf("%0*d", partitionDigits, partition) }

// remoteNumbers returns the numbers of a folder's manifests, newest first.
func remoteNumbers(names []string) (numbers []int64) {
	for _, name := range slices.Backward(names) {
		if number, ok := numberOf(name, manifestPrefix, manifestSuffix); ok {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func remoteManifestName(partition int, number int64) string {
	return numbered(remoteFolder(partition), manifestPrefix, number, manifestSuffix)
}

// readRemoteManifest reads one manifest. errManifest is one that was torn or is
// not for us to read.
func readRemoteManifest(ctx context.Context, d Depot, who owner, number int64) (m remoteManifest, err error) {
	var whole buffer
	if _, err := d.Get(ctx, remoteManifestName(who.Partition, number), &whole); err != nil {
		return m, err
	}
	if err := openSealed(whole, &m); err != nil {
		return m, fmt.Errorf("reading the depot's manifest %d of partition %d: %w", number, who.Partition, err)
	}
	if m.Format > remoteFormat {
		return m, fmt.Errorf("the depot's manifest %d of partition %d has format %d, this program reads up to %d: %w",
			number, who.Partition, m.Format, remoteFormat, errNewer)
	}
	if m.State.owner != who {
		f := folder{dir: "the depot", who: who}
		return m, f.errForeign(path.Base(remoteManifestName(who.Partition, number)), m.State.owner)
	}
	return m, nil
}

// buffer is an io.WriterAt in memory.
type buffer []byte

func (b *buffer) WriteAt(p []byte, at int64) (int, error) {
	if need := int(at) + len(p); need > len(*b) {
		*b = append(*b, make([]byte, need-len(*b))...)
	}
	return copy((*b)[at:], p), nil
}
