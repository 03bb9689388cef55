package collector

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func packedWith(t *testing.T, raw []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	require.NoError(t, err)
	_, err = w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestBodiesComePackedInEveryEncoding(t *testing.T) {
	h := openHouse(t, "", "max_decoded: 50000B\n")
	for _, test := range []struct {
		name, header, metadata string
		pack                   func(t *testing.T, raw []byte) []byte
	}{
		{"as it is", "", "", func(_ *testing.T, raw []byte) []byte { return raw }},
		{"gzip", "gzip", "gzip", func(_ *testing.T, raw []byte) []byte { return packed(raw) }},
		{"gzip by its old name", "X-GZIP", "gzip", func(_ *testing.T, raw []byte) []byte { return packed(raw) }},
		{"zstd", "zstd", "zstd", func(t *testing.T, raw []byte) []byte {
			t.Helper()
			return packedWith(t, raw, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
		}},
		{"gzip of which no header tells", "", "gzip", func(_ *testing.T, raw []byte) []byte { return packed(raw) }},
		{"zstd of which no header tells", "", "zstd", func(t *testing.T, raw []byte) []byte {
			t.Helper()
			return packedWith(t, raw, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
		}},
		{"deflate", "deflate", "deflate", func(t *testing.T, raw []byte) []byte {
			t.Helper()
			return packedWith(t, raw, func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil })
		}},
		{"deflate without zlib's frame", "deflate", "deflate", func(t *testing.T, raw []byte) []byte {
			t.Helper()
			return packedWith(t, raw, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 9) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Authorization", "Token " + writeToken, "Content-Type", "application/json"}
			if test.header != "" {
				headers = append(headers, "Content-Encoding", test.header)
			}
			sent := test.pack(t, body(oneExecution))
			for _, reader := range []io.Reader{bytes.NewReader(sent), struct{ io.Reader }{bytes.NewReader(sent)}} { // the second is chunked
				answer := h.send(t, reader, headers...)
				require.Equal(t, 202, answer.status, answer.body)
				got := h.messages()
				require.Equal(t, test.metadata, message.Text(got[len(got)-1], testengine.MetaContentEncoding))
				raw, err := got[len(got)-1].AsBytes()
				require.NoError(t, err)
				require.Equal(t, sent, raw, "the log holds the body as sent")
			}
			before := len(h.messages())
			bomb := test.pack(t, []byte(`{"data":[],"pad":"`+strings.Repeat("a", 50_000)+`"}`))
			answer := h.send(t, bytes.NewReader(bomb), headers...)
			require.Equal(t, 413, answer.status, answer.body)
			require.Contains(t, answer.message(t), "50000 bytes after decompression")
			require.Len(t, h.messages(), before)
			if test.header != "" {
				answer = h.send(t, bytes.NewReader(sent[:len(sent)-6]), headers...)
				require.Equal(t, 400, answer.status, answer.body)
				require.Contains(t, answer.message(t), " is broken at byte ")
			}
		})
	}
}

func TestAPackedFormNeedsNoHeaderEither(t *testing.T) {
	h := openHouse(t, "", "")
	form := []byte("--x\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\njunit" +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n<testsuite><testcase name=\"a\"/></testsuite>\r\n--x--\r\n")
	for _, body := range [][]byte{form, packed(form)} {
		answer := h.send(t, bytes.NewReader(body), "Authorization", "Token "+writeToken, "Content-Type", "multipart/form-data; boundary=x")
		require.Equal(t, 202, answer.status, answer.body)
		require.Contains(t, answer.body, `"queued":1`)
	}
}
