package decode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func executionsOf(result assemble.Result) (executions []testengine.Execution) {
	for _, block := range result.Blocks {
		executions = append(executions, block.Executions...)
	}
	return executions
}

func problemsOf(result assemble.Result) (problems []string) {
	for _, p := range result.Report.Problems {
		if p.Field != "run_env.key" {
			problems = append(problems, fmt.Sprintf("%d %s %s <%s>", p.Index, p.Field, p.Reason, p.Snippet))
		}
	}
	return problems
}

func decoded(t *testing.T, body string) (assemble.Result, []testengine.Execution) {
	t.Helper()
	limits := assemble.DefaultLimits()
	limits.KeepDetails = assemble.KeepAll
	require.NoError(t, check([]byte(body), limits.MaxDepth))
	result, err := feed([]byte(body), limits)
	require.NoError(t, err)
	return result, executionsOf(result)
}

func TestBadRecordsAreNamedAndTheUploadIsKept(t *testing.T) {
	tests := []struct {
		name     string
		record   string
		kept     bool
		problems []string
	}{
		{"a record without a name is rejected", `{"scope":"s"}`, false, []string{`1 name missing <{"scope":"s"}>`}},
		{"a name of null too", `{"name":null}`, false, []string{`1 name missing <{"name":null}>`}},
		{"an empty name too", `{"name":""}`, false, []string{`1 name missing <{"name":""}>`}},
		{"a name that is no string is rejected", `{"name":7}`, false, []string{`1 name not a string <7>`}},
		{"a scope that is no string too, for it names the test", `{"name":"n","scope":["x"]}`, false, []string{`1 scope not a string <["x"]>`}},
		{"a record that is no object is rejected", `"n"`, false, []string{`1 record not an object <"n">`}},
		{"null is no record", `null`, false, []string{`1 record not an object <null>`}},
		{"an unknown result is kept as unknown", `{"name":"n","result":"exploded"}`, true, []string{`1 result unknown word: kept as unknown <exploded>`}},
		{"a result that is no string is dropped", `{"name":"n","result":true}`, true, []string{`1 result not a string: it was dropped <true>`}},
		{"a location that is no string is dropped", `{"name":"n","location":{"line":3}}`, true, []string{`1 location not a string: it was dropped <{"line":3}>`}},
		{"tags that are no object are dropped", `{"name":"n","tags":["a"]}`, true, []string{`1 tags not an object: they were dropped <["a"]>`}},
		{"a tag that is an object is dropped", `{"name":"n","tags":{"a":{}}}`, true, []string{`1 tags the value is not a text: it was dropped <a>`}},
		{"a tag whose value is too long is dropped", `{"name":"n","tags":{"a":"` + strings.Repeat("x", 128) + `"}}`, true, []string{`1 tags the value is too long: this tag was dropped <a>`}},
		{"a tag whose key is too long is dropped", `{"name":"n","tags":{"` + strings.Repeat("k", 64) + `":"v"}}`, true, []string{`1 tags the key is too long: this tag was dropped <` + strings.Repeat("k", 64) + `>`}},
		{"a blank tag is dropped", `{"name":"n","tags":{"a":" "}}`, true, []string{`1 tags the value is blank: this tag was dropped <a>`}},
		{"a history that is no object is dropped", `{"name":"n","history":"x"}`, true, []string{`1 history not an object: it was dropped <"x">`}},
		{"a duration that is no number is dropped", `{"name":"n","history":{"duration":"1"}}`, true, []string{`1 history.duration not a number: it was dropped <"1">`}},
		{"an infinite duration is dropped", `{"name":"n","history":{"duration":1e999}}`, true, []string{`1 history.duration out of range: it was dropped <1e999>`}},
		{"a negative duration is dropped", `{"name":"n","history":{"duration":-1}}`, true, []string{`1 history.duration out of range: it was dropped <-1>`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, executions := decoded(t, `{"data":[{"name":"first","result":"passed"},`+test.record+`,{"name":"last","result":"passed"}]}`)
			require.Equal(t, test.problems, problemsOf(result))
			require.Equal(t, 3, result.Report.Received)
			require.Equal(t, "first", executions[0].Name)
			last := executions[len(executions)-1]
			require.Equal(t, "last", last.Name)
			require.Equal(t, 2, last.Index)
			if test.kept {
				require.Len(t, executions, 3)
				require.False(t, executions[1].HasDuration)
				require.Empty(t, executions[1].Tags)
			} else {
				require.Len(t, executions, 2)
				require.Equal(t, 1, result.Report.Rejected)
			}
		})
	}
}

func TestFieldsAreReadWhereverTheyStand(t *testing.T) {
	want := testengine.Execution{
		Index: 0, Scope: "s", Name: "pn", Location: "f:1", File: "f", Result: testengine.ResultFailed, Duration: 0.5, HasDuration: true,
		FailureReason: "r", Tags: []testengine.Tag{{Key: "os", Value: "linux"}}, Details: &testengine.Details{
			FailureExpanded: `[{"expanded":["x"]}]`, History: `{"section":"top","duration":0.5}`, ExternalID: "e", Extra: `{"trace_id":"t","n":[1,{"a":null}]}`,
		},
	}
	want.TestID = testengine.TestID(testengine.SuiteSeed("o", "s"), "s", "pn")
	want.Mark()
	fields := []string{
		`"id":"x"`, `"scope":"s"`, `"name":"n"`, `"location":"./f:1"`, `"file_name":"./f"`, `"result":"failed"`, `"failure_reason":"r"`,
		`"failure_expanded":[{"expanded":["x"]}]`, `"history":{"section":"top","duration":0.5}`, `"tags":{"os":"linux"}`,
		`"external_id":"e"`, `"trace_id":"t"`, `"n":[1,{"a":null}]`,
	}
	envelope := []string{`"format":"json"`, `"run_env":{"key":"k","execution_name_prefix":"p"}`, `"tags":{"a":"b"}`, `"data":[%s]`, `"unknown":{"x":1}`}
	for turn := range len(fields) - 1 { // the two unknown keys keep their order
		rotated := append(append([]string{}, fields[turn:11]...), append(append([]string{}, fields[11:]...), fields[:min(turn, 11)]...)...)
		if turn > 11 {
			rotated = fields
		}
		outer := append(append([]string{}, envelope[turn%5:]...), envelope[:turn%5]...)
		for _, separator := range []string{",", " ,\n\t "} {
			body := "{" + strings.Join(outer, separator) + "}"
			body = fmt.Sprintf(body, "{"+strings.Join(rotated, separator)+"}")
			result, executions := decoded(t, body)
			require.Equal(t, []testengine.Execution{want}, executions, body)
			upload := result.Blocks[0].Upload
			require.Equal(t, "k", upload.RunKey)
			require.JSONEq(t, `{"unknown":{"x":1}}`, string(upload.Extra))
			require.Equal(t, []testengine.Tag{{Key: "a", Value: "b"}}, upload.Tags)
		}
	}
}

func TestNullsAreEverywhere(t *testing.T) {
	result, executions := decoded(t, `{"format":null,"run_env":{"key":null,"branch":null},"tags":null,"data":[{"id":null,"scope":null,"name":"n","location":null,
		"file_name":null,"result":null,"failure_reason":null,"failure_expanded":null,"history":null,"tags":null,"external_id":null},
		{"name":"m","history":{"duration":null,"children":null},"tags":{"a":null}}]}`)
	require.Empty(t, problemsOf(result))
	require.Len(t, executions, 2)
	require.Equal(t, 2, result.Report.WithoutResult)
	require.False(t, executions[1].HasDuration)
	require.True(t, result.Blocks[0].Upload.RunKeyMissing)
	require.Equal(t, "up_1", result.Report.RunKey)
	require.Equal(t, -1, result.Report.Problems[0].Index)
}

func TestTextsAreUnescaped(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"every escape", `\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t"},
		{"a code unit", `caf\u00e9`, "café"},
		{"a surrogate pair", `\ud83d\ude00!`, "😀!"},
		{"half a pair", `\ud83d!`, "\uFFFD!"},
		{"two halves the wrong way round", `\ude00\ud83d`, "\uFFFD\uFFFD"},
		{"a half before another escape", `\ud83d\n`, "\uFFFD\n"},
		{"UTF-8 as it is", `日本`, "日本"},
		{"bytes that are no UTF-8, each", "a\xff\xfeb", "a\uFFFD\uFFFDb"},
		{"bytes that are no UTF-8, beside an escape", "\\n\xe2\x82", "\n\uFFFD\uFFFD"},
		{"a null character", `\u0000`, "\x00"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, executions := decoded(t, `[{"name":"n","scope":"`+test.sent+`","failure_reason":"long enough to fill words `+test.sent+`"}]`)
			require.Equal(t, test.want, executions[0].Scope)
			require.Equal(t, "long enough to fill words "+test.want, executions[0].FailureReason)
		})
	}
}

func TestBrokenBodiesAreRefusedWithTheOffset(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		offset int
		reason string
	}{
		{"nothing", ``, 0, "it ends too early"},
		{"a number", `7`, 0, "an object or an array is expected"},
		{"something behind the upload", `{"data":[]} x`, 12, "nothing may follow here"},
		{"a missing comma", `{"data":[{"name":"a" "b":1}]}`, 21, "a comma or } is expected"},
		{"a comma too many", `{"data":[1,]}`, 11, "a value is expected"},
		{"a key without quotes", `{data:[]}`, 1, "a key in quotes is expected"},
		{"a key without value", `{"data"}`, 7, "a colon is expected"},
		{"a string without end", `{"data":[{"name":"a`, 19, "it ends too early"},
		{"a line end in a string", "{\"data\":[\"a\nb\"]}", 11, "a control character stands in a string"},
		{"an escape that does not exist", `["\x"]`, 3, "this escape does not exist"},
		{"half an escape", `["\u12g4"]`, 6, "\\u must be followed by four hexadecimal digits"},
		{"a leading zero", `[01]`, 2, "a comma or ] is expected"},
		{"a point without digits", `[1.]`, 3, "a digit is expected"},
		{"an exponent without digits", `[1e+]`, 4, "a digit is expected"},
		{"a plus sign", `[+1]`, 1, "a value is expected"},
		{"a word that is no value", `[nul]`, 1, "a value is expected"},
		{"data that is no array", `{"data":{}}`, 8, "data must be an array of executions"},
		{"run_env that is no object", `{"run_env":[],"data":[]}`, 11, "run_env must be an object"},
		{"a body cut off in a tag", `{"data":[{"name":"a","tags":{"a":`, 33, "it ends too early"},
		{"a broken skipped value", `{"data":[{"name":"a","id":tru}]}`, 26, "a value is expected"},
		{"a broken span", `{"data":[{"name":"a","history":{"children":[{]}}]}`, 45, "a key in quotes is expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := &assemble.SyntaxError{Format: "JSON", Offset: test.offset, Reason: test.reason}
			require.Equal(t, want, check([]byte(test.body), 128))
			result, err := feed([]byte(test.body), assemble.DefaultLimits())
			require.Equal(t, want, err)
			require.True(t, result.Refused)
			require.Empty(t, result.Blocks)
		})
	}
}

func TestDepthIsLimited(t *testing.T) {
	for _, shape := range []string{`{"data":[{"name":"n","x":%s}]}`, `[{"name":"n","history":{"x":%s}}]`, `{"name":"n","failure_expanded":%s}`} {
		body := []byte(fmt.Sprintf(shape, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)))
		require.ErrorContains(t, check(body, 128), "it nests too deep")
		require.NoError(t, check(body, 6000))
		_, err := feed(body, assemble.DefaultLimits())
		if shape[0] == '{' && shape[2] == 'n' {
			require.NoError(t, err, "a line that cannot be read is lost alone")
			continue
		}
		require.ErrorContains(t, err, "it nests too deep")
	}
}

func TestRepeatedKeysOfAnUpload(t *testing.T) {
	result, executions := decoded(t, `{"data":[{"name":"a"}],"run_env":{"key":"k"},"data":[{"name":"b"}],"run_env":{"key":"l"}}`)
	require.Len(t, executions, 1)
	require.Equal(t, "k", result.Report.RunKey)
	require.Equal(t, []string{"-1 data given twice: the first one counts <>", "-1 run_env given twice: the first one counts <>"}, problemsOf(result))
}

// The blocks of a body are the same whatever was decoded before and however its
// keys were remembered.
func TestBlocksAreDeterministic(t *testing.T) {
	for _, kind := range []bodies.Kind{bodies.Small, bodies.MB1} {
		body := bodies.Generate(7, kind)
		first, err := feed(body, assemble.DefaultLimits())
		require.NoError(t, err)
		again, err := feed(append([]byte{}, body...), assemble.DefaultLimits())
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, kind.Executions(), first.Report.Accepted)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	body := bodies.Generate(1, bodies.Small)
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { require.NoError(t, check(body, 128)) }), 5.0)
}

// check says what is wrong with a body.
func check(body []byte, maxDepth int) error {
	_, err := Look(body, maxDepth)
	return err
}
