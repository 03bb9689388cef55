package history

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	const at = int64(1_790_000_000_000)
	for _, test := range []struct {
		name, line string
		want       Line
		says       string
	}{
		{
			name: "the keys of the contract",
			line: `{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":{"format":"json","data":[{"name":"a \"}\""}]}}`,
			want: Line{at, "", "api", []byte(`{"format":"json","data":[{"name":"a \"}\""}]}`)},
		},
		{
			name: "any order, other keys, white space, another zone",
			line: ` { "body" : {"a":[1,{"b":"\\"}]} , "x":[1,{"y":null}], "n":-1.5e3, "org":"acme","suite":"caf\u00e9","received_at":"2026-09-21T16:13:20+02:00" } `,
			want: Line{at, "acme", "café", []byte(`{"a":[1,{"b":"\\"}]}`)},
		},
		{name: "no object", line: `[]`, says: "the line is not a JSON object"},
		{name: "cut off", line: `{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":{"format":`, says: "field body: the value is broken or cut off"},
		{name: "no time", line: `{"suite":"api","body":{}}`, says: "field received_at: is missing"},
		{name: "a time that is none", line: `{"received_at":"yesterday","suite":"api","body":{}}`, says: `field received_at: "yesterday" is no RFC 3339 time`},
		{name: "a number for a time", line: `{"received_at":17,"suite":"api","body":{}}`, says: "field received_at: 17 is no RFC 3339 time"},
		{name: "no suite", line: `{"received_at":"2026-09-21T14:13:20Z","body":{}}`, says: "field suite: is missing"},
		{name: "no body", line: `{"received_at":"2026-09-21T14:13:20Z","suite":"api"}`, says: "field body: is missing"},
		{name: "a body that is text", line: `{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":"{}"}`, says: "field body: must be the collector's upload"},
		{name: "two objects", line: `{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":{}} {}`, says: "something follows the object"},
		{name: "a missing comma", line: `{"suite":"api" "body":{}}`, says: "a comma or the end of the object is missing"},
		{name: "a key that is no text", line: `{1:2}`, says: "a key is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse([]byte(test.line))
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// Whatever the line, Parse does not panic, and a body it returns is a part of the line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":{"a":"\"}"}}`))
	f.Add([]byte(`{"body":{"a":[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		line, err := Parse(raw)
		if err == nil {
			require.Contains(t, string(raw), string(line.Body))
		}
	})
}

func TestLinesAreCutWhateverTheirLength(t *testing.T) {
	long, tooLong := strings.Repeat("x", 2<<20), strings.Repeat("y", 4<<20)
	r := NewReader(strings.NewReader("a\n\n"+long+"\n"+tooLong+"\nlast"), 3<<20)

	for _, want := range []string{"a", "", long} {
		line, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, want, string(line))
	}
	_, err := r.Next()
	require.ErrorContains(t, err, "more than 3145728 bytes")
	line, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, "last", string(line))
	_, err = r.Next()
	require.ErrorIs(t, err, io.EOF)
}

func BenchmarkParse(b *testing.B) {
	line := []byte(`{"received_at":"2026-09-21T14:13:20Z","suite":"api","body":{"data":[` +
		strings.Repeat(`{"id":"0b8d5c1e-5f0f-4d55-9a3c-0f1f3d8e1a11","scope":"Invoice totals","name":"adds VAT once","result":"passed"},`, 2000) + `{}]}}`)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}
