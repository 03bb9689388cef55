package fields_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

func parsed(t *testing.T, yaml string) *service.ParsedConfig {
	t.Helper()
	spec := service.NewConfigSpec().Fields(
		service.NewStringField("name").Default("a"),
		service.NewStringListField("names").Default([]string{"b"}),
		service.NewIntField("count").Default(3),
		service.NewFloatField("share").Default(0.5),
		service.NewFloatListField("shares").Default([]any{0.25, 0.5}),
		service.NewBloblangField("mapping").Optional(),
		service.NewObjectListField("things", service.NewStringField("name")).Default([]any{map[string]any{"name": "c"}, map[string]any{"name": "d"}}),
		service.NewBoolField("on").Default(true),
		service.NewObjectField("inner", fields.NewDuration("wait").Default("2s"), service.NewStringField("size").Default("1KiB")),
	)
	conf, err := spec.ParseYAML(yaml, nil)
	require.NoError(t, err)
	return conf
}

func TestFieldsAreReadAndTheFirstMistakeIsKept(t *testing.T) {
	var err error
	r := fields.Into(&err, parsed(t, "{}"))
	require.Equal(t, "a", r.Text("name"))
	require.Equal(t, []string{"b"}, r.List("names"))
	require.Equal(t, 3, r.Number("count"))
	require.InDelta(t, 0.5, r.Fraction("share"), 0)
	require.Equal(t, []float64{0.25, 0.5}, r.Fractions("shares"))
	require.Nil(t, r.Mapping("mapping"), "it is optional")
	things := r.Each("things")
	require.Len(t, things, 2)
	require.Equal(t, "d", things[1].Text("name"))
	require.True(t, r.Truth("on"))
	require.Equal(t, 2*time.Second, r.Duration("inner", "wait"))
	require.Equal(t, int64(1024), r.Within("inner").Bytes("size"))
	require.NoError(t, err)
	r.Within("inner").Duration("size")
	first := err
	require.Error(t, first)
	r.Text("none")
	require.Equal(t, first, err)
}

func TestAMistakeInOneOfAListIsKept(t *testing.T) {
	var err error
	things := fields.Into(&err, parsed(t, "things: [{name: c}, {name: d}]")).Each("things")
	require.Equal(t, "c", things[0].Text("name"))
	require.NoError(t, err)
	things[1].Duration("name")
	require.EqualError(t, err, `reading name: "d" is no time such as 10s`)
}

func TestAMappingIsReadWhereItIsGiven(t *testing.T) {
	var err error
	mapping := fields.Into(&err, parsed(t, "mapping: 'root = this.a'")).Mapping("mapping")
	require.NoError(t, err)
	got, err := mapping.Query(map[string]any{"a": "b"})
	require.NoError(t, err)
	require.Equal(t, "b", got)
	require.Nil(t, fields.Into(&err, parsed(t, "mapping: 'root = ('")).Mapping("mapping"))
	require.Error(t, err)
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name, written string
		want          int64
		says          string
	}{
		{"a size", "20MB", 20_000_000, ""},
		{"the least", "1B", 1, ""},
		{"too little", "0", 0, `reading inner.size: "0" is no size between 1 B and 1.0 GiB`},
		{"too much", "2GiB", 0, `reading inner.size: "2GiB" is no size between 1 B and 1.0 GiB`},
		{"nothing", "", 0, `reading inner.size: "" is no size such as 32MiB`},
		{"a word", "much", 0, `reading inner.size: "much" is no size such as 32MiB`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			r := fields.Into(&err, parsed(t, "inner: {size: '"+c.written+"'}"))
			got := r.BytesWithin(1, 1<<30, "inner", "size")
			if c.says != "" {
				require.EqualError(t, err, c.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// box is a custom resource of this test alone.
type box struct{ content string }

func (*box) Close(context.Context) error { return nil }

// finder is a processor that does what a component does with its resources.
type finder struct{ find func() }

func (f *finder) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	f.find()
	return service.MessageBatch{m}, nil
}

func (*finder) Close(context.Context) error { return nil }

func TestResourcesAreFoundByKindAndLabel(t *testing.T) {
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterCustomResource("box", service.NewConfigSpec().Field(service.NewStringField("content")),
		func(conf *service.ParsedConfig, _ *service.Resources) (any, error) {
			content, err := conf.FieldString("content")
			return &box{content}, err
		}))
	asked := 0
	require.NoError(t, env.RegisterProcessor("finder", service.NewConfigSpec(),
		func(_ *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return &finder{func() { asked++; findBoxes(t, res) }}, nil
		}))
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(`
logger: {level: "OFF"}
box: [{label: tea, content: green}]
input: {generate: {mapping: 'root = ""', count: 1, interval: ""}}
pipeline: {processors: [finder: {}]}
output: {drop: {}}
`))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	require.Equal(t, 1, asked)
}

func findBoxes(t *testing.T, res *service.Resources) {
	found, err := fields.Resource[*box](t.Context(), res, "box", "tea")
	require.NoError(t, err)
	require.Equal(t, "green", found.content)
	_, err = fields.Resource[io.Reader](t.Context(), res, "box", "tea")
	require.EqualError(t, err, `finding the box "tea": it is a *fields_test.box, which cannot do what is needed here`)
	_, err = fields.Resource[*box](t.Context(), res, "box", "milk")
	require.ErrorContains(t, err, `finding the box "milk"`)
	_, err = fields.Resource[*box](t.Context(), res, "box", "")
	require.Error(t, err, "a field that must name one names none")
	found, err = fields.OptionalResource[*box](t.Context(), res, "box", "")
	require.NoError(t, err)
	require.Nil(t, found)
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		name, written string
		want          time.Duration
		wrong         bool
	}{
		{"seconds", "10s", 10 * time.Second, false},
		{"several units", "1h2m3.5s", time.Hour + 2*time.Minute + 3500*time.Millisecond, false},
		{"nothing", "0s", 0, false},
		{"nothing without unit", "0", 0, false},
		{"microseconds", "5µs", 5 * time.Microsecond, false},
		{"with a sign", "+5m", 5 * time.Minute, false},
		{"less than nothing", "-1s", 0, true},
		{"words", "2 minutes", 0, true},
		{"a number alone", "10", 0, true},
		{"days", "7d", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			got := fields.Into(&err, parsed(t, "inner: {wait: '"+c.written+"'}")).Duration("inner", "wait")
			lints := lintsOf(t, fields.NewDuration("wait"), "wait: '"+c.written+"'")
			if c.wrong {
				require.EqualError(t, err, `reading inner.wait: "`+c.written+`" is no time such as 10s`)
				require.Len(t, lints, 1)
				require.Contains(t, lints[0].What, "wait must be a time such as 10s")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Empty(t, lints)
		})
	}
}

func TestAPeriodIsMoreThanNothing(t *testing.T) {
	var err error
	require.Equal(t, 2*time.Second, fields.Into(&err, parsed(t, "{}")).Period("inner", "wait"))
	require.NoError(t, err)
	fields.Into(&err, parsed(t, "inner: {wait: 0s}")).Period("inner", "wait")
	require.EqualError(t, err, "reading inner.wait: it must be more than 0")
}

func TestNumbersHaveBounds(t *testing.T) {
	for _, c := range []struct {
		name, written string
		most          int
		want          int
		says          string // of lint, and with the number of the start
	}{
		{"the least", "1", 8, 1, ""},
		{"the most", "8", 8, 8, ""},
		{"too little", "0", 8, 0, "must be between 1 and 8"},
		{"too much", "9", 8, 9, "must be between 1 and 8"},
		{"very much", "2000000000", fields.Endless, 2_000_000_000, ""},
		{"less than nothing", "-1", fields.Endless, -1, "must be at least 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			got := fields.Into(&err, parsed(t, "count: "+c.written)).NumberWithin(1, c.most, "count")
			require.Equal(t, c.want, got)
			lints := lintsOf(t, fields.NewNumber("count", 1, c.most), "count: "+c.written)
			if c.says == "" {
				require.NoError(t, err)
				require.Empty(t, lints)
				return
			}
			require.EqualError(t, err, fmt.Sprintf("reading count: it %s, not %d", c.says, c.want))
			require.Len(t, lints, 1)
			require.Equal(t, "count "+c.says, lints[0].What)
		})
	}
}

// lintsOf is what lint says of a component with one field, written as YAML.
func lintsOf(t *testing.T, field *service.ConfigField, yaml string) []service.Lint {
	t.Helper()
	env := service.NewEmptyEnvironment()
	require.NoError(t, env.RegisterProcessor("one", service.NewConfigSpec().Field(field),
		func(*service.ParsedConfig, *service.Resources) (service.Processor, error) { return nil, nil }))
	lints, err := env.NewComponentConfigLinter().LintProcessorYAML([]byte("one: {" + yaml + "}"))
	require.NoError(t, err)
	return lints
}

func TestDecimalsHaveBounds(t *testing.T) {
	for _, c := range []struct {
		written string
		most    float64
		want    string
	}{
		{"0", 1, ""},
		{"1", 1, ""},
		{"0.5", 1, ""},
		{"-0.1", 1, "share must be between 0 and 1"},
		{"1.01", 1, "share must be between 0 and 1"},
		{"-1", math.Inf(1), "share must be at least 0"},
		{"1e300", math.Inf(1), ""},
	} {
		lints := lintsOf(t, fields.NewDecimal("share", 0, c.most), "share: "+c.written)
		if c.want == "" {
			require.Empty(t, lints, c.written)
			continue
		}
		require.Len(t, lints, 1, c.written)
		require.Contains(t, lints[0].What, c.want)
	}
	require.NotEmpty(t, lintsOf(t, fields.NewShare("share"), "share: 2"))
}
