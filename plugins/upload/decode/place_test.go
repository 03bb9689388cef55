package decode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// What stood at a place before must not be taken for what stands there now.
func TestAnExecutionIsReadWhateverStoodBeforeIt(t *testing.T) {
	usual := `{"name":"n","result":"passed","failure_reason":null,"failure_expanded":[],"history":{"section":"top","duration":0.5,"detail":{},"children":[]}}`
	tests := []struct {
		name, record string
		want         testengine.Execution
	}{
		{"another result", `{"name":"n","result":"failed"}`, testengine.Execution{Name: "n", Result: testengine.ResultFailed}},
		{"a result that only begins like it", `{"name":"n","result":"passed on"}`, testengine.Execution{Name: "n"}},
		{"another result with white space", `{"name":"n","result":"failed" ,"id":null }`, testengine.Execution{Name: "n", Result: testengine.ResultFailed}},
		{"a key that only begins like it", `{"name":"n","result_":"passed"}`, testengine.Execution{Name: "n", Details: &testengine.Details{Extra: `{"result_":"passed"}`}}},
		{"the usual value behind another of that key", `{"failure_reason":"r","result":"passed","failure_reason":null,"name":"n"}`, testengine.Execution{Name: "n", Result: testengine.ResultPassed}},
		{
			"the same of what is kept raw", `{"failure_expanded":[1],"result":"failed","failure_reason":"r","failure_expanded":[],"name":"n"}`,
			testengine.Execution{Name: "n", Result: testengine.ResultFailed, FailureReason: "r"},
		},
		{"another duration", `{"name":"n","history":{"section":"top","duration":7}}`, testengine.Execution{Name: "n", Duration: 7, HasDuration: true, Details: &testengine.Details{History: `{"section":"top","duration":7}`}}},
		{"no duration", `{"name":"n","history":{"section":"top","detail":{},"children":[]}}`, testengine.Execution{Name: "n", Details: &testengine.Details{History: `{"section":"top","detail":{},"children":[]}`}}},
		{
			"durations of children alone", `{"name":"n","history":{"children":[{"section":"sql","duration":0.5}]}}`,
			testengine.Execution{Name: "n", Details: &testengine.Details{History: `{"children":[{"section":"sql","duration":0.5}]}`}},
		},
		{"white space where there was none", "{ \"name\":\"n\",\"result\":\"passed\",\n \"failure_reason\":null , \"id\" : 1}", testengine.Execution{Name: "n", Result: testengine.ResultPassed}},
		{"white space in what is passed over", `{"name":"n","history":{"section":"top", "duration":0.5,"detail":{}, "x":[]}}`, testengine.Execution{Name: "n", Duration: 0.5, HasDuration: true, Details: &testengine.Details{History: `{"section":"top","duration":0.5,"detail":{},"x":[]}`}}},
		{"an object that ends sooner", `{"name":"n","result":"passed"}`, testengine.Execution{Name: "n", Result: testengine.ResultPassed}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records := []string{usual, usual, test.record, usual, test.record, test.record, test.record, usual}
			_, executions := decoded(t, "["+strings.Join(records, ",")+strings.Repeat(" ", lookBytes)+"]")
			for i, record := range records {
				want := test.want
				if record == usual {
					want = testengine.Execution{
						Name: "n", Result: testengine.ResultPassed, Duration: 0.5, HasDuration: true,
						Details: &testengine.Details{History: `{"section":"top","duration":0.5,"detail":{},"children":[]}`},
					}
				}
				want.Index, want.TestID = i, testengine.TestID(testengine.SuiteSeed("o", "s"), "", "n")
				want.Mark()
				require.Equal(t, want, executions[i], record)
			}
		})
	}
}

func TestResultsThatAreNoTextAreUnknownHoweverOftenTheyCome(t *testing.T) {
	for _, result := range []string{"2", "22", "-1", "0.5", "true", "null", "[]", "{}", `""`, `"2"`} {
		record := `{"name":"n","result":` + result + `}`
		_, executions := decoded(t, "["+record+strings.Repeat(","+record, 4)+strings.Repeat(" ", lookBytes)+"]")
		require.Len(t, executions, 5, result)
		for _, e := range executions {
			require.Equal(t, testengine.ResultUnknown, e.Result, result)
		}
	}
}

func TestMembersOfManyKeysAreRead(t *testing.T) {
	var members []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		members = append(members, `"`+string(c)+`":{"`+string(c)+`":1}`)
	}
	record := `{"name":"n",` + strings.Join(members, ",") + `}`
	_, executions := decoded(t, "["+record+","+record+","+record+strings.Repeat(" ", lookBytes)+"]")
	for _, e := range executions {
		require.Equal(t, "{"+strings.Join(members, ",")+"}", string(e.Extra()))
	}
}

// FuzzNeighbours holds that an execution is what it is alone, whatever stands
// before it in the body.
func FuzzNeighbours(f *testing.F) {
	f.Add([]byte(`{"name":"n","result":"passed","failure_reason":null}`), []byte(`{"name":"n","result":"failed","failure_reason":"r"}`))
	f.Add([]byte(`{"name": "n", "history": {"section": "top", "duration": 1, "detail": {}}}`), []byte(`{"name": "n", "history": {"detail": {}, "duration": 2}}`))
	f.Add([]byte(`{"name":"a\"\\b","x":null,"tags":{"a":"b"}}`), []byte(`{"x":null,"name":"é","name":null,"failure_expanded":[]}`))
	f.Add([]byte(`{"":"", "":{}}`), []byte(`{"":"","history": {"":"","duration":0,"": {}}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		limits := limitsOf(assemble.KeepAll)
		alone := [][]testengine.Execution{read(t, limits, a), read(t, limits, b)}
		order := []int{0, 0, 1, 0, 1, 1, 0}
		list := make([][]byte, 0, len(order))
		want := []testengine.Execution{}
		for i, n := range order {
			if alone[n] == nil {
				return
			}
			list = append(list, [][]byte{a, b}[n])
			for _, e := range alone[n] {
				e.Index = i
				want = append(want, e)
			}
		}
		require.Equal(t, want, read(t, limits, list...), "%q %q", a, b)
	})
}

// read decodes records of one array, nil when one of them is no value.
func read(t *testing.T, limits assemble.Limits, records ...[]byte) []testengine.Execution {
	t.Helper()
	body := []byte{'['}
	for i, record := range records {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, record...)
	}
	body = append(append(body, ']'), strings.Repeat(" ", lookBytes)...)
	result, err := feed(body, limits)
	require.Equal(t, err == nil, check(body, limits.MaxDepth) == nil, "%q", body)
	if err != nil || result.Report.Received != len(records) {
		return nil
	}
	return append([]testengine.Execution{}, executionsOf(result)...)
}
