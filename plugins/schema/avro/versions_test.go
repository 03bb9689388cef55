package avro

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var update = flag.Bool("update", false, "write the sample records of the current schemas where there are none")

// Every released version left a record in testdata: today's binary reads it.
func TestRecordsOfEveryVersionAreRead(t *testing.T) {
	codec := NewBuiltIn()
	for _, record := range Records() {
		for _, version := range record.Versions() {
			t.Run(fmt.Sprintf("%s version %d", record, version.Number), func(t *testing.T) {
				sample := filepath.Join("testdata", fmt.Sprintf("v%d", version.Number), record.String())
				if *update && version == record.Current() {
					writeSample(t, codec, record, sample)
				}
				data, err := os.ReadFile(sample + ".bin")
				require.NoError(t, err)
				want, err := os.ReadFile(sample + ".json")
				require.NoError(t, err)
				require.Equal(t, version.ID(), binary.BigEndian.Uint32(data[1:]))
				var r testengine.Record
				require.NoError(t, codec.Decode(t.Context(), data, &r))
				require.JSONEq(t, string(want), string(sampleJSON(t, &r)))
			})
		}
	}
}

func writeSample(t *testing.T, codec *Codec, record Record, path string) {
	t.Helper()
	if _, err := os.Stat(path + ".bin"); err == nil {
		return
	}
	r := newRandom(11).record(int(record))
	data, err := codec.Append(nil, r)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".bin", data, 0o600))
	require.NoError(t, os.WriteFile(path+".json", sampleJSON(t, r), 0o600))
}

func sampleJSON(t *testing.T, r *testengine.Record) []byte {
	t.Helper()
	raw, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	return append(raw, '\n')
}

func TestEveryVersionReadsEveryOther(t *testing.T) {
	for _, record := range Records() {
		versions := record.Versions()
		for i, older := range versions {
			for _, newer := range versions[i:] {
				require.NoError(t, Compatible(older.Text, newer.Text), "%s versions %d and %d", record, older.Number, newer.Number)
			}
		}
	}
}

// What a next version may do: add a field anywhere, put fields in another order,
// drop a field. Both directions are read.
func TestAReaderOfTodayReadsTheNextVersion(t *testing.T) {
	for n := range 100 {
		r := newRandom(uint64(n)).record(n)
		record, _ := RecordOf(r.Kind)
		next := nextVersion(t, record)
		require.NoError(t, Compatible(record.Current().Text, next))
		value := generic(r)
		extend(value)
		data, err := avro.MustParse(next).AppendEncode([]byte{0, 0, 0, 0, 42}, value)
		require.NoError(t, err)
		codec := New(func(context.Context, uint32) (string, error) { return next, nil })
		var read testengine.Record
		require.NoError(t, codec.Decode(t.Context(), data, &read))
		require.Equal(t, *r, read, "seed %d", n)
		require.ErrorIs(t, codec.Decode(t.Context(), data[:len(data)-1], &read), testengine.ErrCorruptRecord)
		require.ErrorIs(t, codec.Decode(t.Context(), append(data, 0), &read), testengine.ErrCorruptRecord)
	}
}

func TestAReaderOfTheNextVersionReadsToday(t *testing.T) {
	for n := range 100 {
		r := newRandom(uint64(n)).record(n)
		record, _ := RecordOf(r.Kind)
		data, err := appendValue(nil, r)
		require.NoError(t, err)
		next, err := avro.Resolve(schemaOf(record), avro.MustParse(nextVersion(t, record)))
		require.NoError(t, err)
		var read any
		_, err = next.Decode(data, &read)
		require.NoError(t, err)
		want := generic(r)
		extend(want)
		require.Equal(t, want, read, "seed %d", n)
	}
}

func TestADroppedFieldReadsAsItsDefault(t *testing.T) {
	older := parseJSON(t, RecordRun.Current().Text).(object)
	older["fields"] = slices.DeleteFunc(older["fields"].([]any), func(f any) bool { return f.(object)["name"] == "storm" })
	text, err := json.Marshal(older)
	require.NoError(t, err)
	require.NoError(t, Compatible(string(text), RecordRun.Current().Text))
	run := &testengine.Run{ID: "a", RunKey: "7"}
	data, err := avro.MustParse(string(text)).AppendEncode([]byte{0, 0, 0, 0, 42}, generic(&testengine.Record{Value: run}))
	require.NoError(t, err)
	var read testengine.Record
	require.NoError(t, New(func(context.Context, uint32) (string, error) { return string(text), nil }).Decode(t.Context(), data, &read))
	require.Equal(t, run, read.Value)
}

func TestChangesThatBreakReadersAreFound(t *testing.T) {
	current := RecordRun.Current().Text
	for name, c := range map[string]struct {
		change func(fields []any) []any
		want   string
	}{
		"a field of another type": {func(fields []any) []any {
			fields[0].(object)["type"], fields[0].(object)["default"] = "long", 0
			return fields
		}, "a new reader cannot read old records"},
		"a new field without default": {func(fields []any) []any {
			return append(fields, object{"name": "colour", "type": "string"})
		}, "a new reader cannot read old records"},
		"a field that becomes wider": {func(fields []any) []any {
			fields[14].(object)["type"] = []any{"long", "string"}
			return fields
		}, "an old reader cannot read new records"},
	} {
		t.Run(name, func(t *testing.T) {
			schema := parseJSON(t, current).(object)
			schema["fields"] = c.change(schema["fields"].([]any))
			text, err := json.Marshal(schema)
			require.NoError(t, err)
			require.ErrorContains(t, Compatible(current, string(text)), c.want)
		})
	}
}

// nextVersion adds a field to every record of the schema and turns its fields round.
func nextVersion(t *testing.T, record Record) string {
	t.Helper()
	schema := parseJSON(t, record.Current().Text)
	walkRecords(schema, func(r object) {
		r["fields"] = append(r["fields"].([]any), object{"name": "added", "type": []any{"null", "long"}, "default": nil})
	})
	top := schema.(object)["fields"].([]any)
	if record != RecordBlock { // Its named types have to stand before their names.
		slices.Reverse(top)
	}
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	return string(text)
}

// extend adds the field of nextVersion to every record of a value.
func extend(value any) {
	switch v := value.(type) {
	case object:
		for key, child := range v {
			if key != "numbers" && key != "problem_counts" { // Maps, no records.
				extend(child)
			}
		}
		v["added"] = nil
	case []any:
		for _, child := range v {
			extend(child)
		}
	}
}
