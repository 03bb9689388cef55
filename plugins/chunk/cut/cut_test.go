package cut_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
)

// records are the elements under path of a document, as encoding/json sees them.
func records(t *testing.T, document []byte, path ...string) []json.RawMessage {
	t.Helper()
	for _, key := range path {
		var object map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(document, &object), "%s", document)
		document = object[key]
	}
	var all []json.RawMessage
	require.NoError(t, json.Unmarshal(document, &all), "%s", document)
	return all
}

func TestJSONIsCutBetweenRecords(t *testing.T) {
	for _, c := range []struct {
		name, body, path string
		limit            int
		want             []string
	}{
		{
			"records in the middle of the envelope", `{"a":1,"data":[{"x":1},{"x":2},{"x":3}],"b":[2]}`, "data", 42,
			[]string{`{"a":1,"data":[{"x":1},{"x":2}],"b":[2]}`, `{"a":1,"data":[{"x":3}],"b":[2]}`},
		},
		{"a document that is an array", `[1, 22,"3,]",[4]]`, "", 9, []string{`[1, 22]`, `["3,]"]`, `[[4]]`}},
		{"white space between records falls away at a cut", "[ {} ,\n {} ]", "", 6, []string{"[{}]", "[{}]"}},
		{
			"brackets, quotes and backslashes inside strings", `{"data":["}\"]","\\","[{\\\""]}`, "data", 20,
			[]string{`{"data":["}\"]"]}`, `{"data":["\\"]}`, `{"data":["[{\\\""]}`},
		},
		{
			"a path of two keys, the same key elsewhere before it", `{"x":{"d":[9]},"r":{"c":0,"d":[{},[]]},"d":[7]}`, "r.d", 47,
			[]string{`{"x":{"d":[9]},"r":{"c":0,"d":[{},[]]},"d":[7]}`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var path []string
			if c.path != "" {
				path = strings.Split(c.path, ".")
			}
			chunks, err := cut.JSON([]byte(c.body), path, c.limit)
			require.NoError(t, err)
			var got []string
			for i := range chunks {
				got = append(got, string(chunks[i].Append(nil)))
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestWhatCannotBeCutBetweenRecords(t *testing.T) {
	for _, c := range []struct{ name, body, reason string }{
		{"a record longer than the limit", `{"data":[1,"` + strings.Repeat("x", 100) + `"]}`, cut.ErrNoRecords.Error()},
		{"an envelope longer than the limit", `{"data":[1],"e":"` + strings.Repeat("x", 100) + `"}`, cut.ErrNoRecords.Error()},
		{"no records", `{"data":[]}`, cut.ErrNoRecords.Error()},
		{"no array under the path", `{"data":{}}`, "at byte 8 an array is expected"},
		{"the key is missing", `{"a":1}`, "at byte 6 the object has no data"},
		{"it ends in a record", `{"data":[{"a":1}, {"b"`, "at byte 22 it ends too early"},
		{"it ends in a string", `{"data":["abc`, "at byte 13 it ends too early"},
		{"something follows", `{"data":[1]} x`, "at byte 13 nothing may follow here"},
		{"no comma between records", `{"data":[1 2]}`, "at byte 11 a comma or ] is expected"},
		{"empty", ``, "at byte 0 it ends too early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cut.JSON([]byte(c.body), []string{"data"}, 64)
			require.EqualError(t, err, c.reason)
		})
	}
}

// value makes a JSON value that looks like what could confuse a walker.
func value(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n == 0 && depth < 5:
		object := map[string]any{}
		for range r.IntN(4) {
			object[text(r)] = value(r, depth+1)
		}
		return object
	case n == 1 && depth < 5:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, value(r, depth+1))
		}
		return list
	case n < 4:
		return r.Float64()
	case n == 4:
		return nil
	}
	return text(r)
}

func text(r *rand.Rand) string {
	const alphabet = `"\{}[],: aé` + "\n\t\x00"
	var b strings.Builder
	for range r.IntN(30) {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return strings.ToValidUTF8(b.String(), "?")
}

func TestTheRecordsOfAllChunksAreTheRecordsOfTheDocument(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := []any{}
		for range 1 + r.IntN(40) {
			data = append(data, value(r, 0))
		}
		body, err := json.Marshal(map[string]any{"b": value(r, 3), "data": data, "z": value(r, 3)})
		require.NoError(t, err)
		if r.IntN(2) == 0 {
			var spaced bytes.Buffer
			require.NoError(t, json.Indent(&spaced, body, "", " "))
			body = spaced.Bytes()
		}
		limit := 200 + r.IntN(600)
		chunks, err := cut.JSON(body, []string{"data"}, limit)
		if err != nil {
			require.ErrorIs(t, err, cut.ErrNoRecords, "seed %d", seed)
			continue
		}
		var joined []json.RawMessage
		for i := range chunks {
			document := chunks[i].Append(nil)
			require.LessOrEqual(t, len(document), limit, "seed %d", seed)
			require.Len(t, document, chunks[i].Len())
			require.Len(t, joined, chunks[i].First, "seed %d", seed)
			joined = append(joined, records(t, document, "data")...)
			require.Len(t, joined, chunks[i].First+chunks[i].Count)
		}
		require.Equal(t, records(t, body, "data"), joined, "seed %d", seed)
	}
}

// A string of a million escapes must not cost a million looks at all of it.
func TestManyEscapesCostTheirLength(t *testing.T) {
	body := []byte(`{"e":"` + strings.Repeat(`\n`, 4_000_000) + `","data":[1]}`)
	chunks, err := cut.JSON(body, []string{"data"}, len(body))
	require.NoError(t, err)
	require.Len(t, chunks, 1)
}

func TestNDJSONIsCutBetweenLines(t *testing.T) {
	chunks, err := cut.NDJSON([]byte("{\"a\":1}\n\n{\"a\":22}\r\n  {\"a\":3}"), 18)
	require.NoError(t, err)
	var got []string
	for i := range chunks {
		got = append(got, fmt.Sprintf("%d+%d %q", chunks[i].First, chunks[i].Count, chunks[i].Append(nil)))
	}
	require.Equal(t, []string{`0+1 "{\"a\":1}\n"`, `1+1 "{\"a\":22}\r\n"`, `2+1 "  {\"a\":3}"`}, got)
}

func TestAPayloadIsItsPieces(t *testing.T) {
	for size := range 40 {
		body := bytes.Repeat([]byte("x"), size)
		pieces := cut.Bytes(body, 7)
		for _, piece := range pieces {
			require.LessOrEqual(t, len(piece), 7)
		}
		require.Equal(t, body, append([]byte{}, bytes.Join(pieces, nil)...))
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"data":[{"a":"\\\""},[1,2],3]}`), uint16(40))
	f.Add([]byte(`{"x":{"data":[]},"data" : [ null , "]" ] }`), uint16(30))
	f.Fuzz(func(t *testing.T, body []byte, limit uint16) {
		chunks, err := cut.JSON(body, []string{"data"}, int(limit))
		if err != nil || !json.Valid(body) {
			return // nothing is promised about what is no JSON, but to come back
		}
		var whole struct{ Data []json.RawMessage }
		if json.Unmarshal(body, &whole) != nil || bytes.Count(bytes.ToLower(body), []byte(`data`)) != 1 {
			return // a key twice, or written with escapes
		}
		var joined []json.RawMessage
		for i := range chunks {
			document := chunks[i].Append(nil)
			require.LessOrEqual(t, len(document), int(limit))
			joined = append(joined, records(t, document, "data")...)
		}
		require.Equal(t, whole.Data, joined)
	})
}
