package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// Segments and bases begin with a magic word, then length and checksum of a
// header in JSON, then the header.
const (
	magic       = "TEstate1"
	magicLength = len(magic)
	headerStart = len(magic) + 8
	maxHeader   = 1 << 20
	readAhead   = 1 << 20
)

var (
	errHeader = errors.New("the file's header is torn")
	errNewer  = errors.New("the file was written by another version of this program")
)

func encodeHeader(header any) ([]byte, error) {
	body, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("writing a header: %w", err)
	}
	b := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[magicLength:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[magicLength+4:], crc32.Checksum(body, castagnoli))
	return append(b, body...), nil
}

// A frameFile reads a segment or a base from its beginning.
type frameFile struct {
	file disk.File
	// at is the end of what was read and verified, end the end of what may be read.
	at, end int64
	buffer  []byte
	start   int64 // file offset of buffer[0]
}

// openFrames opens a file and reads its header.
func openFrames(d disk.Disk, name string, header any) (*frameFile, error) {
	file, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	f := &frameFile{file: file}
	if err := f.readHeader(header); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return f, nil
}

func (f *frameFile) readHeader(header any) (err error) {
	if f.end, err = f.file.Size(); err != nil {
		return err
	}
	head, err := f.window(headerStart)
	if err != nil {
		return err
	}
	if len(head) < headerStart {
		return errHeader
	}
	if string(head[:magicLength]) != magic {
		if string(head[:magicLength-1]) == magic[:magicLength-1] {
			return errNewer
		}
		return errHeader
	}
	length, sum := int(binary.LittleEndian.Uint32(head[magicLength:])), binary.LittleEndian.Uint32(head[magicLength+4:])
	if length > maxHeader {
		return errHeader
	}
	all, err := f.window(headerStart + length)
	if err != nil {
		return err
	}
	if len(all) < headerStart+length || crc32.Checksum(all[headerStart:headerStart+length], castagnoli) != sum {
		return errHeader
	}
	if err := json.Unmarshal(all[headerStart:headerStart+length], header); err != nil {
		return errHeader
	}
	f.at = int64(headerStart + length)
	return nil
}

// next returns the next frame, valid until the next call; ok is false at the
// end or at the first frame that does not verify.
func (f *frameFile) next() (got frame, ok bool, err error) {
	head, err := f.window(frameHeader)
	if err != nil || len(head) < frameHeader {
		return frame{}, false, err
	}
	length := int64(binary.LittleEndian.Uint32(head))
	if length < frameHeader || length > f.end-f.at {
		return frame{}, false, nil
	}
	whole, err := f.window(int(length))
	if err != nil || int64(len(whole)) < length || !intact(whole[:length]) {
		return frame{}, false, err
	}
	f.at += length
	return parseFrame(whole[:length]), true, nil
}

// window returns n bytes from at on, fewer at the end.
func (f *frameFile) window(n int) ([]byte, error) {
	have := f.start + int64(len(f.buffer)) - f.at
	if f.at >= f.start && have >= int64(n) {
		return f.buffer[f.at-f.start:], nil
	}
	want := min(int64(max(n, readAhead)), f.end-f.at)
	if int64(cap(f.buffer)) < want {
		f.buffer = make([]byte, want)
	}
	f.buffer, f.start = f.buffer[:want], f.at
	read, err := f.file.ReadAt(f.buffer, f.at)
	f.buffer = f.buffer[:read]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading state: %w", err)
	}
	return f.buffer, nil
}

func (f *frameFile) close() { _ = f.file.Close() }
