package enrich

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func start(t testing.TB, yaml string, options ...service.MockResourcesOptFn) *enricher {
	t.Helper()
	conf, err := enrichSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	config, err := enrichFromParsed(conf)
	require.NoError(t, err)
	e, err := newEnricher(config, service.MockResources(options...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func block() *testengine.Block {
	return &testengine.Block{
		Upload: &testengine.Upload{
			Org: "acme", Suite: "web", Branch: "main", LocationPrefix: "packages/money", RunKey: "b7",
			Tags: []testengine.Tag{{Key: "team", Value: "sent"}},
		},
		Executions: []testengine.Execution{
			{File: "packages/money/a.rb", Result: testengine.ResultPassed},
			{File: "b.rb", Result: testengine.ResultFailed, FailureReason: "boom 1"},
			{File: "b.rb", Result: testengine.ResultPassed, FailureReason: "boom 2", Tags: []testengine.Tag{{Key: "code.file.path", Value: "sent.rb"}}},
			{File: "", Result: testengine.ResultSkipped},
		},
	}
}

func blockMessage(b *testengine.Block) *service.Message {
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindBlock, b)
	m.MetaSetMut(testengine.MetaOrg, b.Upload.Org)
	m.MetaSetMut(testengine.MetaSuite, b.Upload.Suite)
	return m
}

func enriched(t testing.TB, e *enricher, b *testengine.Block) *testengine.Block {
	t.Helper()
	out, err := e.Process(t.Context(), blockMessage(b))
	require.NoError(t, err)
	require.Len(t, out, 1)
	got, err := message.Get[testengine.Block](out[0])
	require.NoError(t, err)
	return got
}

func TestABlockIsAnnotatedAndItsFactsAreShared(t *testing.T) {
	e := start(t, "owners_file: "+write(t, "* platform\npackages/money/ billing payments\n"))
	sent := block()
	sent.Annotations = &testengine.Annotations{
		Tags:       []testengine.Tag{{Key: "scm.branch", Value: "mapped"}},
		Executions: map[int][]testengine.Tag{1: {{Key: "mine", Value: "1"}}},
	}
	got := enriched(t, e, sent)
	require.Same(t, &sent.Executions[0], &got.Executions[0])
	require.Len(t, sent.Annotations.Tags, 1, "the block that came is not changed")
	require.Len(t, sent.Annotations.Executions[1], 1)
	require.Equal(t, []testengine.Tag{{Key: "scm.branch", Value: "mapped"}, {Key: "build.id", Value: "b7"}}, got.Annotations.Tags)
	require.Equal(t, "billing", got.Owner(0))
	require.Equal(t, "billing", got.Owner(1), "the location prefix was only sent")
	require.Empty(t, got.Owner(3))
	require.Equal(t, map[int][]testengine.Tag{1: {{Key: "mine", Value: "1"}, {Key: "code.file.path", Value: "packages/money/b.rb"}}}, got.Annotations.Executions)
	require.Len(t, got.Annotations.Signatures, 2)
	require.Equal(t, got.Annotations.Signatures[1], got.Annotations.Signatures[2])
}

func TestAVerdictGetsItsOwner(t *testing.T) {
	e := start(t, "owners_file: "+write(t, "*.rb billing\n"))
	for file, want := range map[string]string{"a.rb": "billing", "a.js": ""} {
		m := service.NewMessage(nil)
		sent := &testengine.Verdict{File: file}
		message.Set(m, testengine.KindVerdict, sent)
		out, err := e.Process(t.Context(), m)
		require.NoError(t, err)
		got, err := message.Get[testengine.Verdict](out[0])
		require.NoError(t, err)
		require.Equal(t, want, got.Owner)
		require.Empty(t, sent.Owner)
	}
}

func TestOtherMessagesPass(t *testing.T) {
	e := start(t, "")
	m := service.NewMessage([]byte("anything"))
	out, err := e.Process(t.Context(), m)
	require.NoError(t, err)
	require.Same(t, m, out[0])
}

func TestABlockAsJSONIsAnnotatedToo(t *testing.T) {
	e := start(t, "")
	raw, err := blockMessage(block()).AsBytes()
	require.NoError(t, err)
	m := service.NewMessage(raw)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindBlock))
	out, err := e.Process(t.Context(), m)
	require.NoError(t, err)
	got, err := message.Get[testengine.Block](out[0])
	require.NoError(t, err)
	require.Equal(t, "packages/money/b.rb", got.Annotations.Executions[1][0].Value)
}

func TestTheOwnersFileIsReadAgainWhenItChanges(t *testing.T) {
	path := write(t, "* one\n")
	e := start(t, "reload_interval: 1ms\nowners_file: "+path)
	require.Equal(t, "one", enriched(t, e, block()).Owner(0))
	require.NoError(t, os.WriteFile(path, []byte("* other\n"), 0o600))
	require.Eventually(t, func() bool { return enriched(t, e, block()).Owner(0) == "other" }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.Remove(path))
	require.Equal(t, "other", enriched(t, e, block()).Owner(0))
}

const cached = `
lookups:
  - name: customer
    cache: customers
    key: ${! metadata("org") }
    prefix: customer.
`

func TestMetadataIsFetchedBehindTheStream(t *testing.T) {
	e := start(t, cached, service.MockResourcesOptAddCache("customers"))
	require.NoError(t, e.lookups[0].res.AccessCache(t.Context(), "customers", func(c service.Cache) {
		require.NoError(t, c.Set(t.Context(), "acme", []byte(`{"tier":"gold"}`), nil))
	}))
	want := testengine.Tag{Key: "customer.tier", Value: "gold"}
	require.Eventually(t, func() bool {
		tags := enriched(t, e, block()).Annotations.Tags
		return tags[len(tags)-1] == want
	}, 10*time.Second, time.Millisecond)
}

func TestMetadataOfAFileIsThereAtOnce(t *testing.T) {
	path := write(t, "acme/web:\n  tier: 1\n  team: looked up\n")
	e := start(t, "lookups:\n  - name: pipeline\n    file: "+path)
	require.Contains(t, enriched(t, e, block()).Annotations.Tags, testengine.Tag{Key: "tier", Value: "1"})
	require.NotContains(t, enriched(t, e, block()).Annotations.Tags, testengine.Tag{Key: "team", Value: "looked up"}, "what was sent wins")
}

func TestASourceThatIsAwayStopsNothing(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, get := range map[string]func() ([]byte, error){
		"it hangs":     func() ([]byte, error) { <-hang; return nil, nil },
		"it fails":     func() ([]byte, error) { return nil, errors.New("connection refused") },
		"it is absurd": func() ([]byte, error) { return []byte("[]"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			env := service.GlobalEnvironment().Clone()
			kind := "dead"
			require.NoError(t, env.RegisterCache(kind, service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Cache, error) {
				return sourceCache(get), nil
			}))
			builder := env.NewStreamBuilder()
			require.NoError(t, builder.SetYAML("logger: {level: \"OFF\"}\ncache_resources:\n  - label: customers\n    dead: {}\n"+
				"pipeline:\n  processors:\n    - execution_enrich:\n        lookups:\n          - {name: customer, cache: customers, key: '${! @run_key }'}\n"))
			send, err := builder.AddProducerFunc()
			require.NoError(t, err)
			require.NoError(t, builder.AddConsumerFunc(func(context.Context, *service.Message) error { return nil }))
			stream, err := builder.Build()
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- stream.Run(context.Background()) }()
			for n := range 2 * maxWanted {
				m := blockMessage(block())
				m.MetaSetMut(testengine.MetaRunKey, strconv.Itoa(n))
				require.NoError(t, send(t.Context(), m))
			}
			require.NoError(t, stream.StopWithin(20*time.Second))
			require.NoError(t, <-done)
		})
	}
}

type sourceCache func() ([]byte, error)

func (s sourceCache) Get(context.Context, string) ([]byte, error) { return s() }

func (sourceCache) Set(context.Context, string, []byte, *time.Duration) error { return nil }

func (sourceCache) Add(context.Context, string, []byte, *time.Duration) error { return nil }

func (sourceCache) Delete(context.Context, string) error { return nil }

func (sourceCache) Close(context.Context) error { return nil }

func TestWrongConfigurationIsRefused(t *testing.T) {
	for _, test := range []struct{ name, yaml, want string }{
		{"an owners file that is not there", "owners_file: /nowhere/TESTOWNERS", "reading the owners file"},
		{"a lookup without source", "lookups: [{name: x}]", "either cache or file"},
		{"a lookup with two sources", "lookups: [{name: x, cache: a, file: b}]", "either cache or file"},
		{"a cache that is not there", "lookups: [{name: x, cache: a}]", `cache resource "a"`},
		{"a file that is no object", "lookups: [{name: x, file: " + write(t, "- a") + "}]", "lookup_x file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := enrichSpec().ParseYAML(test.yaml, nil)
			require.NoError(t, err)
			config, err := enrichFromParsed(conf)
			if err == nil {
				_, err = newEnricher(config, service.MockResources())
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func BenchmarkEnrich(b *testing.B) {
	e := start(b, "owners_file: "+write(b, "* platform\nspec/ billing\nspec/models/ models\n"))
	big := block()
	big.Upload.LocationPrefix = ""
	big.Executions = make([]testengine.Execution, testengine.BlockSize)
	for i := range big.Executions {
		big.Executions[i] = testengine.Execution{File: fmt.Sprintf("spec/models/file_%03d.rb", i/20), Result: testengine.ResultPassed}
	}
	m := blockMessage(big)
	b.ReportAllocs()
	for b.Loop() {
		e.block(m, big)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/testengine.BlockSize, "ns/execution")
}
