package decode

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree reads a value of any shape, as encoding/json would.
func tree(w *Walker) any {
	switch w.Kind() {
	case '{':
		object := map[string]any{}
		for key := range w.Members() {
			object[key] = tree(w)
		}
		return object
	case '[':
		array := []any{}
		for range w.Elements() {
			array = append(array, tree(w))
		}
		return array
	case '"':
		return w.Text()
	case 't', 'f', 'n':
		raw := w.Raw()
		return map[string]any{"true": true, "false": false}[raw]
	}
	number, _ := w.Number()
	return number
}

func TestAWalkerReadsWhatEncodingJSONReads(t *testing.T) {
	for _, body := range []string{
		`{}`, `[]`, ` [ 1 , -2.5e3, "a\n\u65e5", true,false,null, {"a":{"b":[[],{}]}} ] `, `"x"`, `12`,
		"{\n  \"a\": [\n    {\"b\": \"\xff\"}\n  ]\n}\n",
	} {
		w := NewWalker([]byte(body), 128)
		got := tree(w)
		require.NoError(t, w.End(), body)
		var want any
		require.NoError(t, json.Unmarshal([]byte(body), &want))
		require.Equal(t, want, got, body)
	}
}

func TestAWalkerSaysWhereADocumentBreaks(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a missing colon", `{"a" 1}`, "the JSON is broken at byte 5: a colon is expected"},
		{"a missing comma", `[1 2]`, "the JSON is broken at byte 3: a comma or ] is expected"},
		{"cut off in a member", `{"a":[1,`, "the JSON is broken at byte 8: it ends too early"},
		{"something behind", `{} x`, "the JSON is broken at byte 3: nothing may follow here"},
		{"too deep", strings.Repeat("[", 20), "the JSON is broken at byte 16: it nests too deep"},
		{"too deep in what is passed over", `{"a":` + strings.Repeat("[", 20), "the JSON is broken at byte 20: it nests too deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := NewWalker([]byte(test.body), 16)
			if strings.HasPrefix(test.body, `{"a":[[`) {
				w.Skip()
			} else {
				tree(w)
			}
			require.EqualError(t, w.End(), test.want)
			require.Empty(t, w.Text())
			require.Zero(t, w.Kind())
		})
	}
}

func TestAWalkerComesBackToAPlace(t *testing.T) {
	w := NewWalker([]byte(`{"a":{"list":[1,2,3]},"name":"x"}`), 16)
	var list Place
	name := ""
	for key := range w.Members() {
		switch key {
		case "a":
			list = w.Here()
		case "name":
			name = w.Text()
		}
	}
	end := w.Here()
	require.Equal(t, "x", name)
	w.Back(list)
	require.Equal(t, map[string]any{"list": []any{1.0, 2.0, 3.0}}, tree(w))
	w.Back(end)
	require.NoError(t, w.End())
}

// What must hold: nothing panics, a walk ends where a skip ends, and what is
// read is what encoding/json reads.
func FuzzWalker(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c\u0041"}],"d":null}`))
	f.Add([]byte(`[1e400, "\ud800", true]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		walked := NewWalker(body, 64)
		tree(walked)
		err := walked.End()
		skipped := NewWalker(body, 64)
		skipped.Skip()
		require.Equal(t, skipped.End() == nil, err == nil)
		if err == nil {
			require.True(t, json.Valid(body))
		}
	})
}
