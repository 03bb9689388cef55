// Package registry holds the schemas against a real Schema Registry: the
// client's own fake says yes to every question of compatibility.
package registry

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	twmb "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "github.com/redpanda-data/connect/v4/public/components/confluent"

	_ "github.com/connect-testengine/connect-testengine/plugins/schema"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

func TestSchemasAtARealRegistry(t *testing.T) {
	registry := harness.StartRegistry(t)
	client, err := sr.NewClient(sr.URLs(registry.URL))
	require.NoError(t, err)

	t.Run("a schema is registered before its first record, with its rule", func(t *testing.T) {
		codec := codecOf(t, "url: "+registry.URL)
		_, err := codec.Append(nil, run())
		require.ErrorContains(t, err, "was not prepared")
		require.NoError(t, codec.Prepare(t.Context()))
		for _, subject := range []string{"uploads-value", "executions-value", "verdicts-value", "runs-value", "upload_reports-value"} {
			found, err := client.SchemaByVersion(t.Context(), subject, 1)
			require.NoError(t, err, subject)
			require.NotEmpty(t, found.Schema.Schema)
			rule := client.Compatibility(t.Context(), subject)[0]
			require.NoError(t, rule.Err)
			require.Equal(t, sr.CompatFullTransitive, rule.Level, subject)
		}
		found, err := client.SchemaByVersion(t.Context(), "runs-value", 1)
		require.NoError(t, err)
		require.Equal(t, uint32(found.ID), idOf(t, codec))
		var again testengine.Record
		require.NoError(t, codec.Decode(t.Context(), append1(t, codec), &again))
		require.Equal(t, *run(), again)
	})

	t.Run("the rule binds other writers of the subject", func(t *testing.T) {
		_, err := client.RegisterSchema(t.Context(), "runs-value", sr.Schema{Schema: changed(t, "uploads", "string")}, -1, -1)
		answer, ok := errors.AsType[*sr.ResponseError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, 409, answer.StatusCode)
	})

	t.Run("a compatible change is accepted, and records of both versions are read", func(t *testing.T) {
		older := without(t, "storm")
		id, err := client.RegisterSchema(t.Context(), "grown-run", sr.Schema{Schema: older}, -1, -1)
		require.NoError(t, err)
		codec := codecOf(t, "url: "+registry.URL+"\nsubject_prefix: grown")
		require.NoError(t, codec.Prepare(t.Context(), testengine.KindRun))
		_, err = client.SchemaByVersion(t.Context(), "grown-run", 2)
		require.NoError(t, err)
		require.NotEqual(t, uint32(id), idOf(t, codec))

		var r testengine.Record
		require.NoError(t, codec.Decode(t.Context(), written(t, older, id), &r))
		require.Equal(t, "r1", r.Value.(*testengine.Run).ID)
		require.NoError(t, codec.Decode(t.Context(), append1(t, codec), &r))
		require.Equal(t, *run(), r)
	})

	t.Run("an incompatible change is refused before the first record", func(t *testing.T) {
		for _, theirs := range []string{changed(t, "uploads", "string"), `{"type":"record","name":"Song","fields":[]}`} {
			subject := fmt.Sprintf("broken%d", len(theirs))
			_, err := client.RegisterSchema(t.Context(), subject+"-run", sr.Schema{Schema: theirs}, -1, -1)
			require.NoError(t, err)
			codec := codecOf(t, "url: "+registry.URL+"\nsubject_prefix: "+subject)
			err = codec.Prepare(t.Context(), testengine.KindRun)
			require.ErrorIs(t, err, testengine.ErrIncompatibleSchema)
			require.ErrorContains(t, err, "schema run against version 1 of subject "+subject+"-run")
			_, err = codec.Append(nil, run())
			require.Error(t, err)
			versions, err := client.SubjectVersions(t.Context(), subject+"-run")
			require.NoError(t, err)
			require.Equal(t, []int{1}, versions)
		}
	})

	t.Run("a stock processor reads our records", func(t *testing.T) {
		codec := codecOf(t, "url: "+registry.URL)
		require.NoError(t, codec.Prepare(t.Context(), testengine.KindRun))
		out := throughStream(t, "- schema_registry_decode: {url: "+registry.URL+"}", service.NewMessage(append1(t, codec)))
		value, err := out.AsStructured()
		require.NoError(t, err)
		require.Equal(t, "r1", value.(map[string]any)["id"])
		require.Equal(t, "acme", value.(map[string]any)["org"])
	})

	t.Run("ids are kept while the registry is away, and are the same when it comes back", func(t *testing.T) {
		reader, writer := codecOf(t, "url: "+registry.URL), codecOf(t, "url: "+registry.URL)
		require.NoError(t, writer.Prepare(t.Context(), testengine.KindRun))
		data, before := append1(t, writer), idOf(t, writer)
		var r testengine.Record
		require.NoError(t, reader.Decode(t.Context(), data, &r))
		require.ErrorIs(t, reader.Decode(t.Context(), []byte{0, 0, 0, 0xff, 0xff, 0}, &r), testengine.ErrUnknownSchema)

		registry.Kill()
		require.Equal(t, data, append1(t, writer))
		require.NoError(t, reader.Decode(t.Context(), data, &r))
		late := codecOf(t, "url: "+registry.URL+"\ntimeout: 1s")
		for _, err := range []error{late.Decode(t.Context(), data, &r), late.Prepare(t.Context(), testengine.KindRun)} {
			require.ErrorContains(t, err, "at the registry")
			require.NotErrorIs(t, err, testengine.ErrUnknownSchema)
			require.NotErrorIs(t, err, testengine.ErrIncompatibleSchema)
		}

		registry.Start()
		require.NoError(t, late.Decode(t.Context(), data, &r), "nothing has to be restarted")
		require.NoError(t, late.Prepare(t.Context(), testengine.KindRun))
		require.Equal(t, before, idOf(t, late))
	})
}

func run() *testengine.Record {
	return &testengine.Record{Kind: testengine.KindRun, Org: "acme", Suite: "web", Value: &testengine.Run{
		ID: "r1", Event: testengine.RunClosed, Org: "acme", Suite: "web", Uploads: 3, Storm: "one message in many tests",
	}}
}

func append1(t *testing.T, codec testengine.RecordCodec) []byte {
	t.Helper()
	data, err := codec.Append(nil, run())
	require.NoError(t, err)
	return data
}

func idOf(t *testing.T, codec testengine.RecordCodec) uint32 {
	t.Helper()
	return binary.BigEndian.Uint32(append1(t, codec)[1:])
}

// written is a record that another binary wrote with its own schema.
func written(t *testing.T, schema string, id int) []byte {
	t.Helper()
	data := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	data, err := twmb.MustParse(schema).AppendEncode(data, map[string]any{"id": "r1"}) // The rest is defaults.
	require.NoError(t, err)
	return data
}

// without is our schema of a run as it was before it had a field.
func without(t *testing.T, name string) string {
	t.Helper()
	return edited(t, func(fields []any) []any {
		return slices.DeleteFunc(fields, func(f any) bool { return f.(map[string]any)["name"] == name })
	})
}

// changed is our schema of a run with another type of one field.
func changed(t *testing.T, name, kind string) string {
	t.Helper()
	return edited(t, func(fields []any) []any {
		for _, f := range fields {
			if field := f.(map[string]any); field["name"] == name {
				field["type"], field["default"] = kind, ""
			}
		}
		return fields
	})
}

func edited(t *testing.T, edit func(fields []any) []any) string {
	t.Helper()
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(avro.RecordRun.Current().Text), &schema))
	schema["fields"] = edit(schema["fields"].([]any))
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	return string(text)
}

var grabbers atomic.Int64

// codecOf is the codec of a testengine_schemas resource, as a component gets it.
func codecOf(t *testing.T, yaml string) testengine.RecordCodec {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	found := make(chan testengine.RecordCodec, 1)
	name := fmt.Sprintf("grab_codec_%d", grabbers.Add(1))
	require.NoError(t, env.RegisterProcessor(name, service.NewConfigSpec(),
		func(_ *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return nop{}, res.AccessCustomResource(context.Background(), "testengine_schemas", "schemas", func(v any) {
				found <- v.(testengine.RecordCodec)
			})
		}))
	start(t, env, "testengine_schemas:\n  - label: schemas\n"+indent(yaml, "    "), "- "+name+": {}")
	select {
	case codec := <-found:
		return codec
	case <-time.After(10 * time.Second):
		require.FailNow(t, "the stream did not start")
	}
	return nil
}

type nop struct{}

func (nop) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	return service.MessageBatch{m}, nil
}

func (nop) Close(context.Context) error { return nil }

// throughStream sends a message through processors.
func throughStream(t *testing.T, processors string, m *service.Message) *service.Message {
	t.Helper()
	send, outputs := start(t, service.GlobalEnvironment(), "", processors)
	require.NoError(t, send(t.Context(), m))
	return <-outputs
}

func start(t *testing.T, env *service.Environment, resources, processors string) (service.MessageHandlerFunc, <-chan *service.Message) {
	t.Helper()
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML("logger: {level: \"OFF\"}\ninput: {generate: {mapping: root = deleted(), interval: 1h}}\noutput: {drop: {}}\n"+
		resources+"pipeline:\n  processors:\n"+indent(processors, "    ")))
	send, err := builder.AddProducerFunc()
	require.NoError(t, err)
	outputs := make(chan *service.Message, 1)
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		if err := m.GetError(); err != nil {
			return err
		}
		outputs <- m
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = stream.Run(ctx) // It ends when it is told to.
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return send, outputs
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(text, "\n", "\n"+by) + "\n"
}
