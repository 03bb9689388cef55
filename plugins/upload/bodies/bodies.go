// Package bodies makes synthetic uploads for benchmarks: the same bytes for the
// same seed and kind, in the proportions of real ones.
package bodies

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Kind names a size of upload.
type Kind string

// The kinds.
const (
	// Small is 0.1 MB, 165 executions.
	Small Kind = "small"
	// MB1 is 1 MB, 1,700 executions.
	MB1 Kind = "mb1"
	// Std is 3.1 MB, 5,000 executions.
	Std Kind = "std"
	// Big is 22 MB, 5,000 executions with many child spans.
	Big Kind = "big"
)

// Executions is how many executions an upload of the kind holds.
func (k Kind) Executions() int {
	switch k {
	case Small:
		return 165
	case MB1:
		return 1700
	default:
		return 5000
	}
}

// Generate returns an upload as a collector sends it. Uploads of different seeds
// are different runs of the same tests on the same commit.
func Generate(seed uint64, kind Kind) []byte {
	g := generator{random: rand.New(rand.NewPCG(seed, 42)), kind: kind}
	g.clock = 1000 + 1000*g.random.Float64()
	g.envelope()
	for t := range kind.Executions() {
		if t > 0 {
			g.text(",")
		}
		g.execution(t)
	}
	g.text("]}")
	return g.out
}

type generator struct {
	random *rand.Rand
	kind   Kind
	clock  float64
	out    []byte
}

func (g *generator) text(parts ...string) {
	for _, part := range parts {
		g.out = append(g.out, part...)
	}
}

func (g *generator) uuid() string {
	a, b := g.random.Uint64(), g.random.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

func (g *generator) envelope() {
	key := g.uuid()
	g.text(`{"format":"json","run_env":{"CI":"buildkite","ci":"buildkite","key":"`, key,
		`","url":"https://ci.example/acme/pipeline/builds/1234","branch":"main",`,
		`"commit_sha":"5e1f0c9ab2d3476f8a90b1c2d3e4f50617283940","number":"1234","job_id":"`, g.uuid(),
		`","message":"Merge pull request\nReject the \"guest\" account","version":"1.12.0",`,
		`"collector":"js-buildkite-test-collector","test_runner":"jest"},"tags":{"ci.worker.id":"`, g.uuid(),
		`","cloud.provider":"aws","cloud.region":"eu-west-1","host.type":"c7g.2xlarge","host.arch":"arm64",`,
		`"language.name":"ruby","language.version":"3.3.6","test.framework.name":"rspec"},"data":[`)
}

func (g *generator) execution(t int) {
	n1, n2 := nouns[t%20], nouns[t/7%20]
	file := strings.ToLower("./spec/controllers/" + n1 + "/" + n2 + "_controller_" + strconv.Itoa(t/40) + "_spec.rb")
	location := file + ":" + strconv.Itoa(10+13*t%400)
	result, failure := g.result(location)
	g.text(`{"id":"`, g.uuid(), `","scope":"`, n1, `::`, n2, `Controller #`, verbs[t/3%12], `","name":"`,
		verbs[t%12], ` the `, n2, ` `, conditions[t%8], ` (case `, strconv.Itoa(t), `)","location":"`, location,
		`","file_name":"`, file, `","result":"`, result, `",`, failure, `,"history":`)
	g.history()
	if g.random.Float64() < 0.05 {
		g.text(`,"tags":{"team":"payments","feature":"checkout"}`)
	}
	g.text("}")
}

func (g *generator) result(location string) (word, failure string) {
	failed := 0.02
	if g.kind == Big {
		failed = 0.03
	}
	switch p := g.random.Float64(); {
	case p < failed:
		return "failed", `"failure_reason":"expected the response to have status 200, got 403",` + expanded(location)
	case p < failed+0.01:
		return "skipped", `"failure_reason":null,"failure_expanded":[]`
	}
	return "passed", `"failure_reason":null,"failure_expanded":[]`
}

// expanded is two lines of explanation and twelve of backtrace, 1.4 KB.
func expanded(location string) string {
	var b strings.Builder
	b.WriteString(`"failure_expanded":[{"expanded":["  expected: \"café is open\" to be shown to the member of the account",` +
		`"       got: \"\" (compared using ==) after waiting two seconds for the page"],"backtrace":[`)
	for line := range 12 {
		if line > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s:in 'block (%d levels) in <top (required)>'"`, location, line+2)
	}
	b.WriteString(`]}]`)
	return b.String()
}

func (g *generator) history() {
	duration := 0.05 * g.random.ExpFloat64()
	start := g.clock
	g.clock += duration + 0.0001
	g.text(`{"section":"top","start_at":`, number(start, 9), `,"end_at":`, number(start+duration, 9),
		`,"duration":`, number(duration, 12), `,"detail":{},"children":[`)
	for child := range g.children() {
		if child > 0 {
			g.text(",")
		}
		length := duration * g.random.Float64() / 4
		begin := start + (duration-length)*g.random.Float64()
		g.text(`{"section":"sql","start_at":`, number(begin, 9), `,"end_at":`, number(begin+length, 9),
			`,"duration":`, number(length, 12), `,"detail":{"query":"`, statements[g.random.IntN(4)], `"},"children":[]}`)
	}
	g.text("]}")
}

func (g *generator) children() int {
	if g.kind == Big {
		return g.random.IntN(35)
	}
	switch p := g.random.Float64(); {
	case p < 0.65:
		return 0
	case p < 0.95:
		return 1
	}
	return 2
}

func number(value float64, digits int) string { return strconv.FormatFloat(value, 'f', digits, 64) }
