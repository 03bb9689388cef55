package kafkalog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unpackedBytes is the most that a batch of the log may unpack to, as in franz-go.
const unpackedBytes = 1 << 30

// unpacker is kgo's Decompressor without zstd's own checksum: the client has
// compared the checksum of the whole batch by then, and a second one over what
// it unpacks to costs 4 % of detection. Of snappy it does one block, which is what
// this client and librdkafka write; Java's chunks are the other's.
//
// It takes new memory each time. Unpacking into the buffers of records whose
// cycle is committed (kgo.WithPools, Record.Recycle) was measured too: the pool
// zeroes a buffer as the collector does, and what saves collections is headroom.
type unpacker struct {
	zstd   *zstd.Decoder // may be used by several goroutines
	others kgo.Decompressor
}

func newUnpacker() *unpacker {
	decoder, _ := zstd.NewReader(nil, zstd.IgnoreChecksum(true), zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(unpackedBytes)) // These options are never refused.
	return &unpacker{zstd: decoder, others: kgo.DefaultDecompressor()}
}

// Decompress implements kgo.Decompressor.
func (u *unpacker) Decompress(packed []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	switch codec {
	case kgo.CodecZstd:
		unpacked, err := u.zstd.DecodeAll(packed, roomFor(packed))
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, fmt.Errorf("%w: %w", kgo.ErrMaxDecompress, err)
		}
		return unpacked, err
	case kgo.CodecSnappy:
		if size, err := s2.DecodedLen(packed); err == nil && 0 < size && size <= unpackedBytes && !bytes.HasPrefix(packed, chunked) {
			return s2.Decode(room(size), packed)
		}
	default:
	}
	return u.others.Decompress(packed, codec)
}

// chunked begins what Java's clients write as snappy.
var chunked = []byte("\x82SNAPPY\x00")

// overread is how far behind the end the decoder may write while it need not look.
const overread = 16

// roomFor is room for what the frame says it holds, or nil.
func roomFor(packed []byte) []byte {
	var header zstd.Header
	if header.Decode(packed) != nil || !header.HasFCS || header.FrameContentSize == 0 || header.FrameContentSize > unpackedBytes {
		return nil
	}
	return room(int(header.FrameContentSize) + overread)
}

// room is an empty slice of memory. It is not zeroed, which only a strings.Builder
// can do: all of it is written before it is seen.
func room(size int) []byte {
	var room strings.Builder
	room.Grow(size)
	room.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(room.String()), room.Cap())[:0]
}
