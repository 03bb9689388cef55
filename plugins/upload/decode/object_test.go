package decode

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wanted reads the members of an object that have these keys: by Members, or by
// Of, where an Object is given.
func wanted(w *Walker, o *Object, keys []string) (got []string) {
	members := w.Members()
	if o != nil {
		members = w.Of(o)
	}
	for key := range members {
		if slices.Contains(keys, key) {
			raw, err := json.Marshal(tree(w))
			if err != nil {
				raw = []byte(err.Error())
			}
			got = append(got, key+"="+string(raw))
		}
	}
	return got
}

func TestWantedMembersAreReadWhateverWasPassedOverBefore(t *testing.T) {
	same := []string{`"ok":true`, `"tags":[]`, `"retry":0`, `"title":"adds"`, `"stdout":[]`, `"line":3`, `"stderr":[]`, `"a":{"b":[]}`, `"z":"é"`}
	other := []string{`"ok":false`, `"tags":["x"]`, `"retry":10`, `"title":"adds 2"`, `"stdout":[{"text":"}"}]`, `"line":31`, `"o":1`, `"long":"` + strings.Repeat("x", 70) + `"`, `"line":4`}
	random := rand.New(rand.NewPCG(3, 9))
	keys := []string{"title", "line"}
	for range 1000 {
		usual := make([]string, 1+random.IntN(20))
		for i := range usual {
			usual[i] = same[random.IntN(len(same))]
		}
		separator := []string{",", ", ", " ,", ",\n"}[random.IntN(12)/3]
		var objects []string
		for range 2 + random.IntN(12) {
			members := slices.Clone(usual)
			for range random.IntN(9) / 6 {
				members[random.IntN(len(members))] = other[random.IntN(len(other))]
			}
			if random.IntN(8) == 0 {
				members = slices.Delete(members, 0, random.IntN(len(members)))
			}
			objects = append(objects, "{"+strings.Join(members, separator)+"}")
		}
		deep := random.IntN(10)
		body := []byte(strings.Repeat("[", deep) + "[" + strings.Join(objects, ",") + "]" + strings.Repeat("]", deep) + strings.Repeat(" ", lookBytes))
		read := func(o *Object) (got [][]string) {
			w := NewWalker(body, 38)
			var walk func(depth int)
			walk = func(depth int) {
				for range w.Elements() {
					if depth > 0 {
						walk(depth - 1)
					} else {
						got = append(got, wanted(w, o, keys))
					}
				}
			}
			walk(deep)
			require.NoError(t, w.End(), "%s", body)
			return got
		}
		require.Equal(t, read(nil), read(ObjectOf(keys...)), "%s", body)
	}
}

// What comes again is passed over at once, and is looked at when it does not.
func TestWhatIsPassedOverAtOnceIsChecked(t *testing.T) {
	usual := `{"a":1,"b":[],"c":null,"title":"x","d":{},"e":true}`
	o := ObjectOf("title")
	body := strings.Repeat(usual+"\n", 4) + strings.Repeat(" ", lookBytes)
	w := NewWalker([]byte(body), 128)
	for line := range w.Lines() {
		require.Equal(t, []string{`title="x"`}, wanted(w, o, []string{"title"}))
		_, broken := w.Broken(line)
		require.False(t, broken)
	}
	require.Equal(t, `"a":1,"b":[],"c":null,`, string(o.runs[0].text[:o.runs[0].member]))
	require.Equal(t, `"d":{},"e":true}`, string(o.runs[4].text[:o.runs[4].member]))
	for _, wrong := range []string{
		`{"a":1,"b":[],"c":nul,"title":"x"}`, `{"a":1,"b":[,"c":null}`, `{"a":1,"b":[],"c":null,}`, `{"a":1,"b":[],"c":null,"title":"x","d":{},"e":true`,
	} {
		w := NewWalker([]byte(usual+"\n"+usual+"\n"+usual+"\n"+wrong+"\n"+usual+strings.Repeat(" ", lookBytes)), 128)
		o, broken := ObjectOf("title"), 0
		for line := range w.Lines() {
			wanted(w, o, []string{"title"})
			if text, is := w.Broken(line); is {
				broken++
				require.Equal(t, wrong, text)
			}
		}
		require.Equal(t, 1, broken, wrong)
	}
}

// FuzzObjects holds that the wanted members of an object are those that it has
// alone, whatever stands before it.
func FuzzObjects(f *testing.F) {
	f.Add([]byte(`{"ok":true,"tags":[],"title":"x"}`), []byte(`{"ok":true,"tags":[1],"title":"x"}`))
	f.Add([]byte(`{"a":1, "b":2, "title":3}`), []byte("{\"a\":1,\n\"b\":2}"))
	f.Add([]byte(`{"a":{},"a":{},"a":{}}`), []byte(`{"a":{},"a":{}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		keys := []string{"title", "a"}
		read := func(o *Object, bodies ...[]byte) (got [][]string, err error) {
			body := []byte{'['}
			for i, one := range bodies {
				if i > 0 {
					body = append(body, ',')
				}
				body = append(body, one...)
			}
			w := NewWalker(append(append(body, ']'), strings.Repeat(" ", lookBytes)...), 40)
			for range w.Elements() {
				got = append(got, wanted(w, o, keys))
			}
			return got, w.End()
		}
		all := [][]byte{a, a, a, b, a, b, b, b, a}
		want, wantErr := read(nil, all...)
		got, err := read(ObjectOf(keys...), all...)
		require.Equal(t, wantErr == nil, err == nil, "%q %q", a, b)
		if err == nil {
			require.Equal(t, want, got, "%q %q", a, b)
		}
	})
}
