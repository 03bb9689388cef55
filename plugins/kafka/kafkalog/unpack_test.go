package kafkalog

import (
	"bytes"
	"testing"

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
	t.Run("a frame that claims too much is refused before memory is taken", func(t *testing.T) {
		bomb := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}
		_, err := u.Decompress(bomb, kgo.CodecZstd)
		require.ErrorIs(t, err, kgo.ErrMaxDecompress)
	})
}
