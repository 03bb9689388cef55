package decode

import (
	"encoding/json"
	"testing"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

// The ratio to encoding/json is measured in one run: go test -bench . -benchtime 20x.
func BenchmarkDecode(b *testing.B) {
	for _, kind := range []bodies.Kind{bodies.Small, bodies.MB1, bodies.Std, bodies.Big} {
		body := bodies.Generate(1, kind)
		run := func(name string, work func()) {
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				before := cputime.Used(b)
				for b.Loop() {
					work()
				}
				b.ReportMetric(float64((cputime.Used(b)-before).Nanoseconds())/float64(b.N*kind.Executions()), "cpu-ns/execution")
			})
		}
		run("feed", func() {
			builder := assemble.New(assemble.Facts{UploadID: "up", Org: "o", Suite: "s"}, Format, assemble.DefaultLimits())
			if err := Feed(builder, body); err != nil {
				b.Fatal(err)
			}
			if got := builder.Finish().Report.Accepted; got != kind.Executions() {
				b.Fatal(got)
			}
		})
		run("check", func() {
			if err := check(body, 128); err != nil {
				b.Fatal(err)
			}
		})
		run("encoding_json", func() {
			var upload reference
			if err := json.Unmarshal(body, &upload); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// reference is the schema as encoding/json would be told it, details left raw.
type reference struct {
	Format string            `json:"format"`
	RunEnv map[string]string `json:"run_env"`
	Tags   map[string]string `json:"tags"`
	Data   []struct {
		Scope           string            `json:"scope"`
		Name            string            `json:"name"`
		Location        string            `json:"location"`
		FileName        string            `json:"file_name"`
		Result          string            `json:"result"`
		FailureReason   string            `json:"failure_reason"`
		FailureExpanded json.RawMessage   `json:"failure_expanded"`
		Tags            map[string]string `json:"tags"`
		ExternalID      string            `json:"external_id"`
		History         struct {
			Duration float64         `json:"duration"`
			Children json.RawMessage `json:"children"`
		} `json:"history"`
	} `json:"data"`
}
