package upload

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func newForEach(t *testing.T, processors string) *forEach {
	t.Helper()
	conf, err := eachSpec().ParseYAML("processors:\n"+processors, nil)
	require.NoError(t, err)
	list, err := conf.FieldProcessorList(eachFieldProcessors)
	require.NoError(t, err)
	return &forEach{processors: list, problems: service.MockResources().Metrics().NewCounter("p", "reason")}
}

const threeExecutions = `{"run_env":{"key":"k","branch":"b"},"tags":{"host":"h"},"data":[
	{"name":"a","file_name":"pay/x.rb","result":"passed","tags":{"os":"linux"},"weird":{"x":1}},
	{"name":"b","file_name":"auth/y.rb","result":"failed","failure_expanded":[{"expanded":["l"]}]},
	{"name":"c"}]}`

func TestProcessorsAnnotateAndChangeNothingElse(t *testing.T) {
	tests := []struct {
		name    string
		mapping string
		want    map[int][]testengine.Tag
	}{
		{"an annotation", `root.annotations.team = this.file_name.or("none").split("/").index(0)`, map[int][]testengine.Tag{
			0: {{Key: "team", Value: "pay"}}, 1: {{Key: "team", Value: "auth"}}, 2: {{Key: "team", Value: "none"}},
		}},
		{"a changed and a new tag are annotations, in order of key", "root = this\nroot.tags.os = \"bsd\"\nroot.tags.a = 5", map[int][]testengine.Tag{
			0: {{Key: "a", Value: "5"}, {Key: "os", Value: "bsd"}}, 1: {{Key: "a", Value: "5"}, {Key: "os", Value: "bsd"}}, 2: {{Key: "a", Value: "5"}, {Key: "os", Value: "bsd"}},
		}},
		{"sealed facts stay", "root = this\nroot.name = \"x\"\nroot.result = \"passed\"\nroot.test_id = 0\nroot.scope = deleted()", nil},
		{"a deleted message loses its annotation, not its execution", "root = if this.name == \"b\" { deleted() }\nroot.annotations.n = this.name", map[int][]testengine.Tag{
			0: {{Key: "n", Value: "a"}}, 2: {{Key: "n", Value: "c"}},
		}},
		{"all deleted", `root = deleted()`, nil},
		{"a failing mapping leaves that execution alone", "root.annotations.f = this.file_name.uppercase()", map[int][]testengine.Tag{
			0: {{Key: "f", Value: "PAY/X.RB"}}, 1: {{Key: "f", Value: "AUTH/Y.RB"}},
		}},
		{"something else than an object is nothing", `root = "text"`, nil},
		{"upload, metadata and raw details can be read", `root.annotations.x = [this.upload.branch, this.upload.tags.host, @run_key, this.extra.weird.x.or(0).string(), this.failure_expanded.0.expanded.0.or("-")].join(" ")`, map[int][]testengine.Tag{
			0: {{Key: "x", Value: "b h k 1 -"}}, 1: {{Key: "x", Value: "b h k 0 l"}}, 2: {{Key: "x", Value: "b h k 0 -"}},
		}},
		{"null, empty and what is no text is left out", `root.annotations = {"a":null,"b":"","c":["x"],"d":true}`, map[int][]testengine.Tag{
			0: {{Key: "d", Value: "true"}}, 1: {{Key: "d", Value: "true"}}, 2: {{Key: "d", Value: "true"}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			batch, err := newDecoder(t, "").Process(t.Context(), logged([]byte(threeExecutions), 1, minute))
			require.NoError(t, err)
			before, err := message.Get[testengine.Block](batch[0])
			require.NoError(t, err)
			f := newForEach(t, "  - mapping: |\n      "+strings.ReplaceAll(test.mapping, "\n", "\n      "))
			out, err := f.Process(t.Context(), batch[0])
			require.NoError(t, err)
			require.Len(t, out, 1)
			require.NoError(t, out[0].GetError())
			after, err := message.Get[testengine.Block](out[0])
			require.NoError(t, err)
			require.Nil(t, before.Annotations, "the block that came is not changed")
			require.Equal(t, before.Executions, after.Executions)
			require.Equal(t, before.Upload, after.Upload)
			if test.want == nil {
				require.Nil(t, after.Annotations)
				return
			}
			require.Equal(t, test.want, after.Annotations.Executions)
			require.Equal(t, "k", message.Text(out[0], testengine.MetaRunKey))
		})
	}
}

func TestASecondRoundSeesAndKeepsTheFirst(t *testing.T) {
	batch, err := newDecoder(t, "").Process(t.Context(), logged([]byte(threeExecutions), 1, minute))
	require.NoError(t, err)
	once, err := newForEach(t, "  - mapping: root.annotations.a = this.name").Process(t.Context(), batch[0])
	require.NoError(t, err)
	twice, err := newForEach(t, `  - mapping: 'root.annotations = if this.name == "b" { this.annotations.merge({"z":this.annotations.a + "2"}) }'`).Process(t.Context(), once[0])
	require.NoError(t, err)
	block, err := message.Get[testengine.Block](twice[0])
	require.NoError(t, err)
	require.Equal(t, map[int][]testengine.Tag{
		0: {{Key: "a", Value: "a"}}, 1: {{Key: "a", Value: "b"}, {Key: "z", Value: "b2"}}, 2: {{Key: "a", Value: "c"}},
	}, block.Annotations.Executions)
}

func TestOtherKindsPassForEach(t *testing.T) {
	m := logged([]byte(`{}`), 1, minute)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindTick))
	out, err := newForEach(t, "  - mapping: root = deleted()").Process(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, service.MessageBatch{m}, out)
}

func BenchmarkForEachExecution(b *testing.B) {
	conf, err := eachSpec().ParseYAML("processors:\n  - mapping: root.annotations.team = this.file_name.split(\"/\").index(0)", nil)
	require.NoError(b, err)
	list, err := conf.FieldProcessorList(eachFieldProcessors)
	require.NoError(b, err)
	f := &forEach{processors: list, problems: service.MockResources().Metrics().NewCounter("p", "reason")}
	decodeConf, err := decodeSpec().ParseYAML("", nil)
	require.NoError(b, err)
	d, err := decoderFromParsed(decodeConf, service.MockResources())
	require.NoError(b, err)
	batch, err := d.Process(b.Context(), service.NewMessage(bodies.Generate(1, bodies.MB1)))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Process(b.Context(), batch[0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bodies.MB1.Executions()), "ns/execution")
}
