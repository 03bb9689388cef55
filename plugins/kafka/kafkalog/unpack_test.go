package kafkalog

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestUnpacking(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	body := bytes.Repeat([]byte("an upload "), 40<<10)
	packed := encoder.EncodeAll(body, nil)
	var streamed bytes.Buffer
	stream, err := zstd.NewWriter(&streamed)
	require.NoError(t, err)
	_, err = stream.Write(body)
	require.NoError(t, err)
	require.NoError(t, stream.Close())

	u := newUnpacker()
	for name, packed := range map[string][]byte{
		"a frame that says how long it is": packed, "a frame that does not": streamed.Bytes(),
		"several frames": append(bytes.Clone(packed), packed...),
	} {
		t.Run(name, func(t *testing.T) {
			unpacked, err := u.Decompress(packed, kgo.CodecZstd)
			require.NoError(t, err)
			require.NotEmpty(t, unpacked)
			require.Equal(t, string(bytes.Repeat(body, len(unpacked)/len(body))), string(unpacked))
		})
	}
	t.Run("a damaged frame is an error", func(t *testing.T) {
		_, err := u.Decompress(packed[:len(packed)/2], kgo.CodecZstd)
		require.Error(t, err)
	})
	block := s2.EncodeSnappy(nil, body)
	chunks := binary.BigEndian.AppendUint32([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), uint32(len(block)))
	for name, packed := range map[string][]byte{"a block of snappy": block, "snappy in chunks, as Java writes it": append(chunks, block...)} {
		t.Run(name, func(t *testing.T) {
			unpacked, err := u.Decompress(packed, kgo.CodecSnappy)
			require.NoError(t, err)
			require.Equal(t, string(body), string(unpacked))
		})
	}
	for name, packed := range map[string][]byte{
		"a block that ends early": block[:len(block)/2], "a block that is shorter than it says": {4, 0, 'x'}, "a block of nothing at all": nil,
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			_, err := u.Decompress(packed, kgo.CodecSnappy)
			require.Error(t, err)
		})
	}
	t.Run("a block that claims too much is refused before memory is taken", func(t *testing.T) {
		_, err := u.Decompress(binary.AppendUvarint(nil, 2*unpackedBytes), kgo.CodecSnappy)
		require.ErrorIs(t, err, kgo.ErrMaxDecompress)
	})
	t.Run("a frame that claims too much is refused before memory is taken", func(t *testing.T) {
		bomb := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}
		_, err := u.Decompress(bomb, kgo.CodecZstd)
		require.ErrorIs(t, err, kgo.ErrMaxDecompress)
	})
}
