package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t testing.TB, data string, paths ...string) (rows []string, err error) {
	fields := NewFields()
	for _, path := range paths {
		fields.Add(path)
	}
	s := NewScanner(fields)
	s.Reset([]byte(data))
	for {
		raw, err := s.Next()
		if errors.Is(err, ErrNoObject) {
			rows = append(rows, "no object: "+string(raw))
			continue
		}
		if err != nil {
			return append(rows, "rest: "+string(s.Rest())), err
		}
		if raw == nil {
			return rows, nil
		}
		require.True(t, json.Valid(raw) || bytes.ContainsAny(raw, "NI"), "%s", raw)
		var row []string
		for _, v := range s.Values {
			row = append(row, fmt.Sprintf("%s %s", v.Kind, v.AppendText(nil)))
		}
		rows = append(rows, strings.Join(row, ", "))
	}
}

func TestEventsOfAMessage(t *testing.T) {
	for name, one := range map[string]struct {
		data  string
		paths []string
		rows  []string
		bad   string
	}{
		"one object":                          {`{"a":"x","b":2}`, []string{"a", "b"}, []string{"text x, a number 2"}, ""},
		"an array of objects":                 {`[{"a":1},{"a":2} , {"a":3}]`, []string{"a"}, []string{"a number 1", "a number 2", "a number 3"}, ""},
		"an object a line":                    {"{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}\n", []string{"a"}, []string{"a number 1", "a number 2", "a number 3"}, ""},
		"arrays, one a line":                  {"[{\"a\":1}]\n[{\"a\":2}]", []string{"a"}, []string{"a number 1", "a number 2"}, ""},
		"nothing":                             {" \n", []string{"a"}, nil, ""},
		"an empty array":                      {"[ ]", []string{"a"}, nil, ""},
		"a path into objects":                 {`{"a":{"x":[1,{"b":3}],"b":{"c":true}}}`, []string{"a.b.c", "a.b", "a.x"}, []string{"a truth value true, an object or array , an object or array "}, ""},
		"a name with a dot":                   {`{"host.type":"vm","host":{"type":"x"}}`, []string{"host~1type", "host.type"}, []string{"text vm, text x"}, ""},
		"missing and null":                    {`{"a":null}`, []string{"a", "b"}, []string{"null , missing "}, ""},
		"escapes":                             {`{"a":"q\"\\\/\b\f\n\r\té\ud83d\ude00\ud800x"}`, []string{"a"}, []string{"text q\"\\/\b\f\n\r\té😀\ufffdx"}, ""},
		"an escaped name":                     {`{"\u0061":1}`, []string{"a"}, []string{"a number 1"}, ""},
		"of a name that comes twice the last": {`{"a":1,"a":2}`, []string{"a"}, []string{"a number 2"}, ""},
		"numbers":                             {`{"a":-0.5,"b":1e3,"c":12345678901234567890}`, []string{"a", "b", "c"}, []string{"a number -0.5, a number 1e3, a number 12345678901234567890"}, ""},
		"what is no object":                   {`[1,"x",{"a":1},[2]]`, []string{"a"}, []string{"no object: 1", `no object: "x"`, "a number 1", "no object: [2]"}, ""},
		"what is no number though written so": {`[{"a":NaN},{"a":-Infinity},{"a":Infinity}]`, []string{"a"}, []string{"a number NaN", "a number -Infinity", "a number Infinity"}, ""},
		"a word that is none":                 {`[{"a":1},{"a":Nan}]`, []string{"a"}, []string{"a number 1", `rest: {"a":Nan}]`}, "byte 14"},
		"a torn array":                        {`[{"a":1},`, []string{"a"}, []string{"a number 1", "rest: "}, "byte 9"},
		"an array that is not closed":         {`[{"a":1}`, []string{"a"}, []string{"a number 1", "rest: "}, "byte 8"},
		"a comma too many":                    {`[{"a":1},]`, []string{"a"}, []string{"a number 1", "rest: ]"}, "byte 9"},
		"a comma too few":                     {`[{"a":1}{"a":2}]`, []string{"a"}, []string{"a number 1", `rest: {"a":2}]`}, "byte 8"},
		"a torn object":                       {`{"a":1,"b":{"c":"x`, []string{"a"}, []string{`rest: {"a":1,"b":{"c":"x`}, "byte 18"},
		"bytes behind the object":             {`{"a":1}}`, []string{"a"}, []string{"a number 1", "rest: }"}, "does not parse"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := read(t, one.data, one.paths...)
			require.Equal(t, one.rows, rows)
			if one.bad == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrSyntax)
			require.ErrorContains(t, err, one.bad)
		})
	}
}

func TestTimesOfEveryUnit(t *testing.T) {
	for name, one := range map[string]struct {
		unit Unit
		v    Value
		want int64
		bad  string
	}{
		"seconds with a fraction": {Seconds, Value{Kind: Number, Number: 1.5}, 1500, ""},
		"milliseconds":            {Milliseconds, Value{Kind: Number, Number: 1777896000123}, 1777896000123, ""},
		"microseconds":            {Microseconds, Value{Kind: Number, Number: 1777896000123999}, 1777896000123, ""},
		"nanoseconds":             {Nanoseconds, Value{Kind: Number, Number: 1999999}, 1, ""},
		"text in UTC":             {RFC3339, Value{Kind: Text, Text: "2026-05-04T12:00:00.123Z"}, 1777896000123, ""},
		"text in another zone":    {RFC3339, Value{Kind: Text, Text: "2026-05-04T14:00:00+02:00"}, 1777896000000, ""},
		"text for a number":       {Milliseconds, Value{Kind: Text, Text: "1"}, 0, "it is text"},
		"a number for text":       {RFC3339, Value{Kind: Number}, 0, "it is a number"},
		"no time":                 {RFC3339, Value{Kind: Text, Text: "yesterday"}, 0, "yesterday"},
		"missing":                 {Milliseconds, Value{}, 0, "it is missing"},
		"before 1970":             {Milliseconds, Value{Kind: Number, Number: -1}, 0, "1970"},
		"an overflow":             {Milliseconds, Value{Kind: Number, Number: math.Inf(1)}, 0, "1970"},
		"nanoseconds taken as ms": {Milliseconds, Value{Kind: Number, Number: 1777896000123456789}, 0, "5138"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := one.unit.Milliseconds(&one.v)
			if one.bad != "" {
				require.ErrorContains(t, err, one.bad)
				return
			}
			require.NoError(t, err)
			require.Equal(t, one.want, got)
		})
	}
}

// Whatever the bytes are, the scanner ends and loses none; of JSON it reads what
// the standard library reads.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`[{"a":1.25,"b":{"c":"x\u00e9"}},{"a":null}]`, "{\"a\":-1e-5}\n{\"b\":{\"c\":true}}", `{"a":123456789012345678901234567890,"b":[]}`, `[[]]`, `{"a":1`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fields := NewFields()
		fields.Add("a")
		fields.Add("b.c")
		s, valid := NewScanner(fields), json.Valid(data)
		s.Reset(bytes.Clone(data))
		for {
			raw, err := s.Next()
			if err != nil && !errors.Is(err, ErrNoObject) {
				require.ErrorIs(t, err, ErrSyntax)
				require.False(t, valid, "valid JSON is read to its end: %v", err)
				return
			}
			if raw == nil {
				return
			}
			if err != nil || !valid {
				continue // JSON has no NaN, so that valid events hold none.
			}
			var want struct {
				A any             `json:"a"`
				B json.RawMessage `json:"b"`
			}
			_ = json.Unmarshal(raw, &want)
			if number, ok := want.A.(float64); ok && !bytes.Contains(raw, []byte(`"A"`)) {
				require.Equal(t, Number, s.Values[0].Kind)
				require.InDelta(t, number, s.Values[0].Number, 0)
			}
		}
	})
}

func TestEndsOfTextsAreFoundWhereverTheyStand(t *testing.T) {
	for length := range 40 {
		for _, end := range []byte{'"', '\\'} {
			for from := range length + 1 {
				for at := range length + 1 {
					data := bytes.Repeat([]byte{0xdc}, length) // One bit away from a backslash.
					want := length
					if at < length {
						data[at] = end
						if at >= from {
							want = at
						}
					}
					require.Equal(t, want, textEnd(data, from))
				}
			}
		}
	}
}
