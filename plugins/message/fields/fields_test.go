package fields_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
		service.NewBoolField("on").Default(true),
		service.NewObjectField("inner", service.NewDurationField("wait").Default("2s"), service.NewStringField("size").Default("1KiB")),
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
