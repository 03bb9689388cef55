package unpack

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Encoding is how a body is packed, in the words of Content-Encoding.
type Encoding string

// The encodings.
const (
	None    Encoding = ""
	Gzip    Encoding = "gzip"
	Zstd    Encoding = "zstd"
	Deflate Encoding = "deflate"
)

// Named reads the value of a Content-Encoding header. Several encodings one
// over the other are none that is known.
func Named(word string) (encoding Encoding, known bool) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "", "identity":
		return None, true
	case "gzip", "x-gzip":
		return Gzip, true
	case "zstd":
		return Zstd, true
	case "deflate":
		return Deflate, true
	}
	return None, false
}

// Guess looks at the first bytes of a body of which nothing is known. A deflate
// is not recognised: it has no mark of its own.
func Guess(body []byte) Encoding {
	switch {
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return Gzip
	case bytes.HasPrefix(body, []byte("\x28\xb5\x2f\xfd")):
		return Zstd
	}
	return None
}

// An opener begins a body; its reader is valid until the next one.
type opener interface {
	open(source *bytes.Reader) (io.Reader, error)
}

type gzipReader struct{ gzip.Reader }

func (g *gzipReader) open(source *bytes.Reader) (io.Reader, error) { return g, g.Reset(source) }

type zstdReader struct{ decoder *zstd.Decoder }

// maxWindow is what RFC 9659 allows a sender of zstd over HTTP; a larger window
// would be a way to make a small body take much memory.
const maxWindow = 8 << 20

func (z *zstdReader) open(source *bytes.Reader) (io.Reader, error) {
	if z.decoder == nil {
		// One goroutine: the caller's. A decoder that is dropped needs no closing then.
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("making a reader of zstd: %w", err)
		}
		z.decoder = decoder
	}
	return z.decoder, z.decoder.Reset(source)
}

// deflateReader reads what the standard calls deflate, which is zlib, and what
// many senders take it for, which is deflate without zlib's frame.
type deflateReader struct {
	framed io.ReadCloser
	bare   io.ReadCloser
}

func (d *deflateReader) open(source *bytes.Reader) (io.Reader, error) {
	if !zlibFrame(source) {
		if d.bare == nil {
			d.bare = flate.NewReader(source)
			return d.bare, nil
		}
		return d.bare, d.bare.(flate.Resetter).Reset(source, nil) //nolint:forcetypeassert // flate promises it
	}
	if d.framed == nil {
		framed, err := zlib.NewReader(source)
		if err != nil {
			return nil, err
		}
		d.framed = framed
		return framed, nil
	}
	return d.framed, d.framed.(zlib.Resetter).Reset(source, nil) //nolint:forcetypeassert // zlib promises it
}

// zlibFrame looks at the two bytes that begin a zlib, without taking them.
func zlibFrame(source *bytes.Reader) bool {
	var head [2]byte
	n, _ := source.ReadAt(head[:], 0)
	return n == len(head) && head[0]&0x0f == 8 && head[0]>>4 <= 7 && (uint(head[0])<<8|uint(head[1]))%31 == 0
}
