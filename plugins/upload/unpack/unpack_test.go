package unpack

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

func packed(t *testing.T, text string, open func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	return packed(t, text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func packZstd(t *testing.T, text string) []byte {
	t.Helper()
	return packed(t, text, func(w io.Writer) io.WriteCloser {
		writer, err := zstd.NewWriter(w)
		require.NoError(t, err)
		return writer
	})
}

func packZlib(t *testing.T, text string) []byte {
	t.Helper()
	return packed(t, text, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func packBare(t *testing.T, text string) []byte {
	t.Helper()
	return packed(t, text, func(w io.Writer) io.WriteCloser {
		writer, err := flate.NewWriter(w, flate.BestCompression)
		require.NoError(t, err)
		return writer
	})
}

func TestBodiesAreUnpackedUpToTheLimit(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	tests := []struct {
		name     string
		encoding Encoding
		packed   []byte
		most     int
		want     string
		err      string
	}{
		{"a small body", Gzip, pack(t, "abc"), 100, "abc", ""},
		{"an empty one", Gzip, pack(t, ""), 100, "", ""},
		{"exactly the limit", Gzip, pack(t, "abc"), 3, "abc", ""},
		{"one byte more", Gzip, pack(t, "abcd"), 3, "", "the body unpacks to more bytes than allowed"},
		{"a body that shrank much", Gzip, pack(t, long), len(long), long, ""},
		{"a bomb", Gzip, pack(t, long), 1000, "", "the body unpacks to more bytes than allowed"},
		{"two members are one body", Gzip, append(pack(t, "ab"), pack(t, "cd")...), 100, "abcd", ""},
		{"no gzip", Gzip, []byte("hello, this is text"), 100, "", "the gzip is broken at byte 10: gzip: invalid header"},
		{"nothing", Gzip, nil, 100, "", "the gzip is broken at byte 0: unexpected EOF"},
		{"cut off", Gzip, pack(t, long)[:500], len(long), "", "the gzip is broken at byte 500: unexpected EOF"},
		{"a wrong checksum", Gzip, broken(pack(t, "abc")), 100, "", "the gzip is broken at byte 27: gzip: invalid checksum"},
		{"a zstd", Zstd, packZstd(t, long), len(long), long, ""},
		{"two frames of zstd are one body", Zstd, append(packZstd(t, "ab"), packZstd(t, "cd")...), 100, "abcd", ""},
		{"a bomb of zstd", Zstd, packZstd(t, long), 1000, "", "the body unpacks to more bytes than allowed"},
		{"a zstd whose window is too large", Zstd, append(window(t), packZstd(t, "ab")...), 1000, "", "the zstd is broken at byte 6: window size exceeded"},
		{"no zstd", Zstd, []byte("hello, this is text"), 100, "", "the zstd is broken at byte 4: invalid input: magic number mismatch"},
		{"a zstd cut off", Zstd, packZstd(t, long)[:20], len(long), "", "the zstd is broken at byte 20: unexpected EOF"},
		{"a deflate", Deflate, packZlib(t, long), len(long), long, ""},
		{"a deflate without frame", Deflate, packBare(t, long), len(long), long, ""},
		{"a bomb of deflate", Deflate, packZlib(t, long), 1000, "", "the body unpacks to more bytes than allowed"},
		{"a deflate cut off", Deflate, packZlib(t, long)[:500], len(long), "", "the deflate is broken at byte 500: unexpected EOF"},
		{"a body that is not packed", None, []byte("abc"), 3, "abc", ""},
		{"one that is too large", None, []byte("abcd"), 3, "", "the body unpacks to more bytes than allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 2 { // the second time with a reader that was used before
				got, err := Append(test.encoding, []byte("before "), test.packed, test.most)
				if test.err != "" {
					require.EqualError(t, err, test.err)
					require.Equal(t, "before ", string(got))
					continue
				}
				require.NoError(t, err)
				require.Equal(t, "before "+test.want, string(got))
			}
		})
	}
}

func TestEncodingsAreNamedAsInHTTP(t *testing.T) {
	tests := []struct {
		word  string
		want  Encoding
		known bool
	}{
		{"", None, true},
		{"identity", None, true},
		{"GZIP", Gzip, true},
		{" x-gzip ", Gzip, true},
		{"zstd", Zstd, true},
		{"deflate", Deflate, true},
		{"br", None, false},
		{"gzip, gzip", None, false},
	}
	for _, test := range tests {
		encoding, known := Named(test.word)
		require.Equal(t, test.want, encoding, test.word)
		require.Equal(t, test.known, known, test.word)
	}
	require.Equal(t, Gzip, Guess(pack(t, "a")))
	require.Equal(t, Zstd, Guess(packZstd(t, "a")))
	require.Equal(t, None, Guess([]byte(`{"data":[]}`)))
}

// window is the head of a zstd frame that asks for a window of 16 MiB.
func window(t *testing.T) []byte {
	t.Helper()
	return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70}
}

// What must hold: nothing panics, and nothing unpacks to more than allowed.
func FuzzAppend(f *testing.F) {
	f.Add(byte(0), []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(byte(1), []byte("\x28\xb5\x2f\xfd\x24\x03\x19\x00\x00abc\xcb\x3b\x59\x61"))
	f.Add(byte(2), []byte("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"))
	f.Add(byte(2), []byte("\x4b\x4c\x4a\x06\x00"))
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		encoding := []Encoding{Gzip, Zstd, Deflate}[which%3]
		got, err := Append(encoding, nil, body, 10_000)
		require.LessOrEqual(t, len(got), 10_000)
		if err != nil {
			require.Empty(t, got)
		}
	})
}

func broken(packed []byte) []byte {
	packed[len(packed)-8] ^= 1
	return packed
}
