package decode

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

func limitsOf(keep assemble.KeepDetails) assemble.Limits {
	limits := assemble.DefaultLimits()
	limits.KeepDetails, limits.MaxProblems = keep, 1_000_000
	limits.ExecutionTags, limits.UploadTags, limits.EnvKeys = 1_000_000, 1_000_000, 1_000_000
	return limits
}

func feed(body []byte, limits assemble.Limits) (assemble.Result, error) {
	builder := assemble.New(assemble.Facts{UploadID: "up_1", Org: "o", Suite: "s"}, Format, limits)
	if err := Feed(builder, body); err != nil {
		return builder.Refuse(err, ""), err
	}
	return builder.Finish(), nil
}

// refExecution is an execution as encoding/json sees it: what is not a string
// where one belongs must be told apart, so everything is raw first.
type refExecution map[string]json.RawMessage

// FuzzFeed compares with encoding/json. What must hold: Feed takes a body if and
// only if encoding/json does and it is an upload, an array or an execution; the
// executions have the same texts; Look says the same as Feed; a block comes
// back from its JSON.
//
// Allowed differences, all of them skipped below or normalised:
//   - letter case: keys are compared exactly, encoding/json folds them (the
//     reference decodes to a map, which does not);
//   - duplicate keys: at the top of an upload the first one counts, in tags and
//     run_env all are read in order; inside an execution the last one, as in
//     encoding/json, but a name or scope that is no string rejects it wherever it stands;
//   - invalid UTF-8: replaced by U+FFFD in raw values too, where encoding/json keeps it;
//   - depth: limited to max_depth, encoding/json allows 10,000;
//   - executions one after another (NDJSON), of which encoding/json takes one.
func FuzzFeed(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	f.Add([]byte("{\"name\":0\n,\"name\":\"0\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		limits := limitsOf(assemble.KeepAll)
		result, err := feed(body, limits)
		require.Equal(t, err == nil, check(body, limits.MaxDepth) == nil || isLines(body), "%q: %v, %v", body, err, check(body, limits.MaxDepth))
		if err != nil {
			var syntax *assemble.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.LessOrEqual(t, syntax.Offset, len(body))
		}
		comesBack(t, result)
		if !json.Valid(body) {
			if !isLines(body) {
				require.Error(t, err, "%q", body)
			}
			return
		}
		records, alike := reference2(body)
		if !alike {
			return
		}
		if err != nil {
			require.Contains(t, err.Error(), "nests too deep", "%q", body)
			return
		}
		require.Equal(t, len(records), result.Report.Received, "%q", body)
		compare(t, body, records, result)
	})
}

var fuzzSeeds = []string{
	`{"format":"json","run_env":{"key":"k","ci":"x","number":5},"tags":{"a":"b"},"data":[{"name":"n","scope":"s","result":"passed","history":{"duration":1.5}}]}`,
	`{"data":[{"name":"\u00e9\ud83d\ude00\ud800","location":null,"tags":{"t":"v"},"x":[1,{"y":null}]},3,null,{"name":5}],"z":{"q":[ ]}}`,
	`[{"name":"a\"b\\c\/\b\f\n\r\t","failure_expanded":[ {"expanded":[ "x" ]} ],"result":"failed"}]`,
	`{"name":"n","failure_reason":"r"}`, "{\"name\":\"a\"}\n{\"name\":\"b\"}", `{"run_env":null,"tags":null,"data":null}`,
	`{"data":[{"name":"\xff\xfe","history":{"duration":-1e400,"section":"\xff"}}]}`, `[]`, `{}`, ``, `[[[[[[[[]]]]]]]]`, `{"data":[{"name":"a"},]}`,
	" {\n \"data\" : [ { \"name\" : \"a\" , \"history\" : { \"duration\" : 0.5 } } ] } ",
}

func isLines(body []byte) bool {
	s := scanner{b: body, maxDepth: 128}
	i := s.space(0)
	if s.at(i) != '{' {
		return false
	}
	kind, at := s.shapeOf(i)
	return at >= 0 && kind == shapeExecution
}

// reference2 is the list of records as encoding/json finds them. Bodies that
// differ in allowed ways are not alike.
func reference2(body []byte) (records []json.RawMessage, alike bool) {
	var array []json.RawMessage
	if json.Unmarshal(body, &array) == nil && array != nil {
		return array, true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil || object == nil {
		return nil, false
	}
	if isLines(body) {
		return []json.RawMessage{body}, true
	}
	s := scanner{b: body, maxDepth: 1000}
	seen := map[string]bool{}
	i, more := s.open(s.space(0), '}')
	for more {
		key, value := s.rawKey(i)
		if seen[string(key)] || bytes.IndexByte(key, '\\') >= 0 {
			return nil, false
		}
		seen[string(key)] = true
		i = s.skip(value, 1)
		i, more = s.comma(i, '}')
	}
	var format any
	_ = json.Unmarshal(object["format"], &format)
	if text, isText := format.(string); isText && text != "" && text != "json" {
		return nil, false
	}
	if env := bytes.TrimSpace(object["run_env"]); len(env) > 0 && env[0] != '{' && env[0] != 'n' {
		return nil, false
	}
	return array, json.Unmarshal(object["data"], &array) == nil && append(records, array...) != nil || string(bytes.TrimSpace(object["data"])) == "null"
}

func compare(t *testing.T, body []byte, records []json.RawMessage, result assemble.Result) {
	t.Helper()
	accepted := map[int]*testengine.Execution{}
	for _, block := range result.Blocks {
		for i := range block.Executions {
			accepted[block.Executions[i].Index] = &block.Executions[i]
		}
	}
	prefix, suffix := "", ""
	if len(result.Blocks) > 0 {
		prefix, suffix = result.Blocks[0].Upload.NamePrefix, result.Blocks[0].Upload.NameSuffix
	}
	for i, raw := range records {
		var want refExecution
		isObject := json.Unmarshal(raw, &want) == nil && want != nil
		name, named := refText(want["name"])
		scope, scoped := refText(want["scope"])
		got := accepted[i]
		if got == nil && (duplicated(raw, `"name"`) || duplicated(raw, `"scope"`)) {
			continue // One of the two is no string.
		}
		require.Equal(t, isObject && named && scoped && name != "", got != nil, "%q: record %d", body, i)
		if got == nil {
			continue
		}
		require.Equal(t, prefix+name+suffix, got.Name)
		require.Equal(t, scope, got.Scope)
		reason, _ := refText(want["failure_reason"])
		require.Equal(t, reason, got.FailureReason)
		external, _ := refText(want["external_id"])
		require.Equal(t, external, got.ExternalID())
		refDuration(t, want["history"], got)
	}
}

// refText is the text of a value: "" for null; ok is false for what is no text.
func refText(raw json.RawMessage) (text string, ok bool) {
	if len(raw) == 0 {
		return "", true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

func refDuration(t *testing.T, raw json.RawMessage, got *testengine.Execution) {
	t.Helper()
	var history map[string]json.RawMessage
	if json.Unmarshal(raw, &history) != nil {
		return
	}
	var duration *float64
	if json.Unmarshal(history["duration"], &duration) != nil || duration == nil || *duration < 0 {
		return
	}
	require.True(t, got.HasDuration || duplicated(raw, "duration"))
	if got.HasDuration {
		require.False(t, math.IsNaN(got.Duration))
		require.InDelta(t, *duration, got.Duration, 0)
	}
}

func duplicated(raw []byte, key string) bool { return bytes.Count(raw, []byte(key)) > 1 }

// comesBack encodes as the host does and decodes again.
func comesBack(t *testing.T, result assemble.Result) {
	t.Helper()
	for _, block := range result.Blocks {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		require.NoError(t, encoder.Encode(block))
		back := new(testengine.Block)
		require.NoError(t, json.Unmarshal(b.Bytes(), back))
		require.Equal(t, block, back)
	}
}
