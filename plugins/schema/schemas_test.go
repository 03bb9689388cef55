package schema

import (
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The fake says yes to every question of compatibility: what is refused here is
// refused by us. tests/registry has a real one.
type fake struct {
	*srfake.Registry
	requests atomic.Int64
}

func newFake(t *testing.T, options ...srfake.Option) *fake {
	t.Helper()
	f := &fake{Registry: srfake.New(options...)}
	t.Cleanup(f.Close)
	f.Intercept(func(http.ResponseWriter, *http.Request) bool {
		f.requests.Add(1)
		return false
	})
	return f
}

func open(t *testing.T, yaml string) *schemas {
	t.Helper()
	parsed, err := schemasSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	config, err := schemasFromParsed(parsed)
	require.NoError(t, err)
	s, err := newSchemas(config, service.MockResources())
	require.NoError(t, err)
	return s
}

func run(id string) *testengine.Record {
	return &testengine.Record{Kind: testengine.KindRun, Org: "acme", Suite: "web", Value: &testengine.Run{ID: id, Org: "acme", Suite: "web"}}
}

func TestASchemaIsRegisteredBeforeItsFirstRecord(t *testing.T) {
	registry := newFake(t)
	s := open(t, "url: "+registry.URL())
	_, err := s.Append(nil, run("a"))
	require.ErrorContains(t, err, "was not prepared")
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	registered, ok := registry.GetSchema("runs-value", 1)
	require.True(t, ok)
	require.Equal(t, avro.RecordRun.Current().Text, registered.Schema.Schema)
	require.False(t, registry.SubjectExists("verdicts-value"), "only what is written is registered")
	data, err := s.Append(nil, run("a"))
	require.NoError(t, err)
	require.Equal(t, uint32(registered.ID), binary.BigEndian.Uint32(data[1:]))

	asked := registry.requests.Load()
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	require.NoError(t, s.Decode(t.Context(), data, new(testengine.Record)))
	require.Equal(t, asked, registry.requests.Load(), "what is known is not asked again")

	require.NoError(t, s.Prepare(t.Context()))
	for _, subject := range []string{"uploads-value", "executions-value", "verdicts-value", "upload_reports-value"} {
		require.True(t, registry.SubjectExists(subject), subject)
	}
	require.ErrorContains(t, s.Prepare(t.Context(), "song"), `kind "song"`)
}

func TestSubjectsFollowTopicsOrAPrefix(t *testing.T) {
	registry := newFake(t)
	require.NoError(t, open(t, "url: "+registry.URL()+"\ntopics: {run: acme.runs}").Prepare(t.Context(), testengine.KindRun))
	require.True(t, registry.SubjectExists("acme.runs-value"))
	require.NoError(t, open(t, "url: "+registry.URL()+"\nsubject_prefix: acme").Prepare(t.Context(), testengine.KindRun))
	require.True(t, registry.SubjectExists("acme-run"))
}

func TestAnIncompatibleChangeIsRefusedBeforeTheFirstRecord(t *testing.T) {
	for name, c := range map[string]struct{ theirs, want string }{
		"a field of another type": {
			strings.Replace(avro.RecordRun.Current().Text, `"name": "uploads", "type": "long", "default": 0`, `"name": "uploads", "type": "string", "default": ""`, 1),
			"schema run against version 1 of subject runs-value: a new reader cannot read old records",
		},
		"a subject of somebody else": {`{"type":"record","name":"Song","fields":[]}`, "schema run against version 1 of subject runs-value"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := newFake(t)
			_, _, err := registry.RegisterSchema("runs-value", sr.Schema{Schema: c.theirs, Type: sr.TypeAvro})
			require.NoError(t, err)
			s := open(t, "url: "+registry.URL())
			err = s.Prepare(t.Context(), testengine.KindRun)
			require.ErrorIs(t, err, testengine.ErrIncompatibleSchema)
			require.ErrorContains(t, err, c.want)
			_, err = s.Append(nil, run("a"))
			require.ErrorContains(t, err, "was not prepared")
			_, ok := registry.GetSchema("runs-value", 2)
			require.False(t, ok, "nothing was registered")
		})
	}
}

func TestTheRegistrysOwnRuleIsHeard(t *testing.T) {
	registry := newFake(t)
	_, _, err := registry.RegisterSchema("runs-value", sr.Schema{Schema: next(t, avro.RecordRun), Type: sr.TypeAvro})
	require.NoError(t, err)
	registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/compatibility/") {
			return false
		}
		_, _ = w.Write([]byte(`{"is_compatible":false,"messages":["no changes on Fridays"]}`))
		return true
	})
	err = open(t, "url: "+registry.URL()).Prepare(t.Context(), testengine.KindRun)
	require.ErrorIs(t, err, testengine.ErrIncompatibleSchema)
	require.ErrorContains(t, err, "no changes on Fridays")
}

func TestYesterdaysBinaryComesBack(t *testing.T) {
	registry := newFake(t)
	id, _, err := registry.RegisterSchema("runs-value", sr.Schema{Schema: avro.RecordRun.Current().Text, Type: sr.TypeAvro})
	require.NoError(t, err)
	_, _, err = registry.RegisterSchema("runs-value", sr.Schema{Schema: next(t, avro.RecordRun), Type: sr.TypeAvro})
	require.NoError(t, err)
	s := open(t, "url: "+registry.URL())
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	data, err := s.Append(nil, run("a"))
	require.NoError(t, err)
	require.Equal(t, uint32(id), binary.BigEndian.Uint32(data[1:]))
}

func TestWithoutTheRightToRegister(t *testing.T) {
	registry := newFake(t)
	s := open(t, "url: "+registry.URL()+"\nregister: false")
	require.ErrorContains(t, s.Prepare(t.Context(), testengine.KindRun), "under subject runs-value, and register is false")
	require.False(t, registry.SubjectExists("runs-value"))
	require.NoError(t, open(t, "url: "+registry.URL()).Prepare(t.Context(), testengine.KindRun))
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
}

func TestAReaderLooksUpWritersItDoesNotKnow(t *testing.T) {
	registry := newFake(t)
	writer, reader := open(t, "url: "+registry.URL()), open(t, "url: "+registry.URL())
	require.NoError(t, writer.Prepare(t.Context(), testengine.KindRun))
	data, err := writer.Append(nil, run("a"))
	require.NoError(t, err)
	asked := registry.requests.Load()
	for range 3 {
		var r testengine.Record
		require.NoError(t, reader.Decode(t.Context(), data, &r))
		require.Equal(t, *run("a"), r)
	}
	require.Equal(t, asked+1, registry.requests.Load())

	builtIn, err := avro.NewBuiltIn().Append(nil, run("b"))
	require.NoError(t, err)
	require.NoError(t, reader.Decode(t.Context(), builtIn, new(testengine.Record)), "a topic may change over to a registry")
}

func TestAnUnknownIdIsAskedForOnceInAWhile(t *testing.T) {
	registry := newFake(t)
	s := open(t, "url: "+registry.URL())
	now := time.UnixMilli(0)
	s.registry.now = func() time.Time { return now }
	unknown := []byte{0, 0, 0, 0, 99, 0}
	for range 3 {
		require.ErrorIs(t, s.Decode(t.Context(), unknown, new(testengine.Record)), testengine.ErrUnknownSchema)
	}
	require.Equal(t, int64(1), registry.requests.Load())
	now = now.Add(time.Minute)
	require.ErrorIs(t, s.Decode(t.Context(), unknown, new(testengine.Record)), testengine.ErrUnknownSchema)
	require.Equal(t, int64(2), registry.requests.Load())
}

func TestARegistryThatCannotAnswerIsNotTheRecordsFault(t *testing.T) {
	wrong := httptest.NewServer(http.NotFoundHandler())
	defer wrong.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"an address where no registry is": wrong.URL, "a broken one": broken.URL, "one that is gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			s := open(t, "url: "+url)
			var away registryError
			err := s.Decode(t.Context(), []byte{0, 0, 0, 0, 9, 0}, new(testengine.Record))
			require.ErrorAs(t, err, &away)
			require.NotErrorIs(t, err, testengine.ErrUnknownSchema)
			err = s.Prepare(t.Context(), testengine.KindRun)
			require.ErrorAs(t, err, &away)
			require.NotErrorIs(t, err, testengine.ErrIncompatibleSchema)
		})
	}
}

func TestTheRegistryIsToldWhoAsks(t *testing.T) {
	registry := newFake(t, srfake.WithAuth("Basic dGVzdGVuZ2luZTpzZWNyZXQ="))
	require.ErrorContains(t, open(t, "url: "+registry.URL()).Prepare(t.Context(), testengine.KindRun), "looking up schema run")
	s := open(t, "url: "+registry.URL()+"\nbasic_auth: {username: testengine, password: secret}")
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
}

func TestARuleThatWeMayNotSetIsAWarning(t *testing.T) {
	registry := newFake(t)
	registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	s := open(t, "url: "+registry.URL())
	var warned string
	s.registry.warn = func(format string, values ...any) { warned = fmt.Sprintf(format, values...) }
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	require.Contains(t, warned, "the registry keeps its own rule for subject runs-value")

	warned = ""
	s = open(t, "url: "+registry.URL()+"\nsubject_prefix: quiet\ncompatibility: \"\"")
	s.registry.warn = func(format string, values ...any) { warned = fmt.Sprintf(format, values...) }
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	require.Empty(t, warned)
}

func TestTheRegistryIsReachedThroughTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"subject":"runs-value","id":7,"version":1,"schema":"\"string\""}`))
	}))
	defer server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.Error(t, open(t, "url: "+server.URL).Prepare(t.Context(), testengine.KindRun), "nobody knows its certificate")
	quoted, err := json.Marshal(string(certificate))
	require.NoError(t, err)
	s := open(t, fmt.Sprintf("url: %s\ntls: {enabled: true, root_cas: %s}", server.URL, quoted))
	require.NoError(t, s.Prepare(t.Context(), testengine.KindRun))
	data, err := s.Append(nil, run("a"))
	require.NoError(t, err)
	require.Equal(t, uint32(7), binary.BigEndian.Uint32(data[1:]))
}

func TestWhatCannotBeAnAddress(t *testing.T) {
	parsed, err := schemasSpec().ParseYAML("url: localhost:8081", nil)
	require.NoError(t, err)
	_, err = schemasFromParsed(parsed)
	require.ErrorContains(t, err, `reading url: "localhost:8081" begins with neither http:// nor https://`)
}

// next is a schema with one more field.
func next(t *testing.T, record avro.Record) string {
	t.Helper()
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(record.Current().Text), &schema))
	schema["fields"] = append(schema["fields"].([]any), map[string]any{"name": "added", "type": "string", "default": "x"})
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	return string(text)
}
