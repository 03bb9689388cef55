package gunzip

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestBodiesAreUnpackedUpToTheLimit(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	tests := []struct {
		name   string
		packed []byte
		most   int
		want   string
		err    string
	}{
		{"a small body", pack(t, "abc"), 100, "abc", ""},
		{"an empty one", pack(t, ""), 100, "", ""},
		{"exactly the limit", pack(t, "abc"), 3, "abc", ""},
		{"one byte more", pack(t, "abcd"), 3, "", "the body unpacks to more bytes than allowed"},
		{"a body that shrank much", pack(t, long), len(long), long, ""},
		{"a bomb", pack(t, long), 1000, "", "the body unpacks to more bytes than allowed"},
		{"two members are one body", append(pack(t, "ab"), pack(t, "cd")...), 100, "abcd", ""},
		{"no gzip", []byte("hello, this is text"), 100, "", "the gzip is broken at byte 10: gzip: invalid header"},
		{"nothing", nil, 100, "", "the gzip is broken at byte 0: unexpected EOF"},
		{"cut off", pack(t, long)[:500], len(long), "", "the gzip is broken at byte 500: unexpected EOF"},
		{"a wrong checksum", broken(pack(t, "abc")), 100, "", "the gzip is broken at byte 27: gzip: invalid checksum"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Append([]byte("before "), test.packed, test.most)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, "before ", string(got))
				return
			}
			require.NoError(t, err)
			require.Equal(t, "before "+test.want, string(got))
		})
	}
}

func broken(packed []byte) []byte {
	packed[len(packed)-8] ^= 1
	return packed
}
