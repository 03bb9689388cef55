package decode

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
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

func TestWhatIsReadLaterIsCheckedAllTheSame(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"a list in front of its name", `{"list":[1,{"a":"]"},2],"name":"x"}`, ""},
		{"no list", `{"list":7,"name":"x"}`, ""},
		{"a list with a mistake", `{"list":[1,,2],"name":"x"}`, "the JSON is broken at byte 11: a value is expected"},
		{"brackets that are no pair", `{"list":[1},"name":"x"}`, "the JSON is broken at byte 10: a comma or ] is expected"},
		{"a list that has no end", `{"list":[1,"name":"x"}`, "the JSON is broken at byte 22: it ends too early"},
		{"a mistake in a list that another one follows", `{"list":[1,,2],"list":[3]}`, "the JSON is broken at byte 11: a value is expected"},
		{"lists that nest too deep", `{"list":` + strings.Repeat("[", 20), "the JSON is broken at byte 23: it nests too deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := NewWalker([]byte(test.body), 16)
			var list Place
			for key := range w.Members() {
				if key == "list" {
					list = w.Later(list)
				}
			}
			w.Reread(list, func() { tree(w) })
			err := w.End()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
			skipped := NewWalker([]byte(test.body), 16)
			skipped.Skip()
			require.Error(t, skipped.End())
		})
	}
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

// What stood at a place before must not be taken for what stands there now, in
// members that are read and in those that are passed over, at any depth.
func TestAWalkerReadsMembersWhateverStoodBefore(t *testing.T) {
	values := []string{`1`, `"passed"`, `"pässed"`, `[]`, `{}`, `null`, `[1, 2]`, `"` + strings.Repeat("x", 70) + `"`, `{"k": "v", "l":[{}]}`, `-0.5`}
	random := rand.New(rand.NewPCG(5, 5))
	for range 400 {
		var lines []string
		keys := []string{"a", "bb", "ccc", "d", "e"}
		for range 1 + random.IntN(30) {
			if random.IntN(8) == 0 {
				random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			}
			var members []string
			for _, key := range keys[:1+random.IntN(len(keys))] {
				value := values[random.IntN(len(values))*random.IntN(2)]
				members = append(members, `"`+key+`":`+strings.Repeat(" ", random.IntN(5)/4)+value)
			}
			lines = append(lines, "{"+strings.Join(members, []string{",", ", ", " ,"}[random.IntN(20)/9])+"}")
		}
		deep := random.IntN(14)
		body := strings.Repeat("[", deep) + "[" + strings.Join(lines, ",") + "]" + strings.Repeat("]", deep)
		touched := random.IntN(6)
		read := func(w *Walker) (got []string) {
			for key := range w.Members() {
				if len(key)%5 >= touched { // left untouched
					got = append(got, key)
					continue
				}
				raw, err := json.Marshal(tree(w))
				require.NoError(t, err)
				got = append(got, key+"="+string(raw))
			}
			require.NoError(t, w.Err(), body)
			return got
		}
		var want [][]string
		for _, line := range lines {
			want = append(want, read(NewWalker([]byte(line), 128)))
		}
		w := NewWalker([]byte(body+strings.Repeat(" ", lookBytes)), 128)
		var got [][]string
		var walk func(depth int)
		walk = func(depth int) {
			for range w.Elements() {
				if depth > 0 {
					walk(depth - 1)
				} else {
					got = append(got, read(w))
				}
			}
		}
		walk(deep)
		require.NoError(t, w.End(), body)
		require.Equal(t, want, got, body)

		w = NewWalker([]byte(strings.Join(lines, "\n")+"\n"), 128)
		got = nil
		for line := range w.Lines() {
			got = append(got, read(w))
			_, broken := w.Broken(line)
			require.False(t, broken)
		}
		require.Equal(t, want, got)
	}
}

func TestWhatIsPassedOverNestsNoDeeperThanItMay(t *testing.T) {
	object := `{"a":[[[[]]]]}`
	walked := func(depth int, members func(*Walker) iter.Seq[string]) error {
		body := strings.Repeat("["+object+","+object+",", depth) + object + strings.Repeat("]", depth)
		w := NewWalker([]byte(body+strings.Repeat(" ", lookBytes)), 40)
		var walk func()
		walk = func() {
			for range w.Elements() {
				if w.Kind() == '[' {
					walk()
					continue
				}
				for range members(w) {
				}
			}
		}
		walk()
		return w.End()
	}
	for depth := 1; depth < 45; depth++ {
		o := ObjectOf("b")
		require.Equal(t, depth > 35, walked(depth, (*Walker).Members) != nil, depth)
		require.Equal(t, depth > 35, walked(depth, func(w *Walker) iter.Seq[string] { return w.Of(o) }) != nil, depth)
	}
}

func TestNoValueGoesOverTheEndOfALine(t *testing.T) {
	w := NewWalker([]byte("{\"a\":\n1}\n\n {\"a\": 2} \r\n[3,\n4\n{\"a\":\"5\n\"}\n\"x\""), 16)
	var values, wrong []string
	for line := range w.Lines() {
		raw := w.Raw()
		if text, broken := w.Broken(line); broken {
			wrong = append(wrong, text)
		} else {
			values = append(values, raw)
		}
	}
	require.NoError(t, w.Err())
	require.Equal(t, []string{`{"a": 2}`, "4", `"x"`}, values)
	require.Equal(t, []string{`{"a":`, "1}", "[3,", `{"a":"5`, `"}`}, wrong)
}
