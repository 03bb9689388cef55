package decode

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func TestWhatIsPassedOverHasPairsOfQuotesAndBrackets(t *testing.T) {
	long := strings.Repeat("x", 3*lookBytes)
	slashes := strings.Repeat(`\\`, lookBytes/2)
	tests := []struct {
		name, value string
		want        string // of the error, or nothing
	}{
		{"an object", `{"section":"top","duration":0.5,"children":[{},[]]}`, ""},
		{"brackets in strings", `{"a":"}]","[":"{"}`, ""},
		{"quotes that are escaped", `{"a":"\"}","\\":"\\\"}"}`, ""},
		{"backslashes over the end of a part", `{"` + strings.Repeat("x", lookBytes-3) + slashes + `\"}":1}`, ""},
		{"a row of backslashes over several parts", `{"a` + slashes + slashes + `":1}`, ""},
		{"a long string", `["` + long + `"]`, ""},
		{"as deep as allowed", strings.Repeat("[", 8) + strings.Repeat("]", 8), ""},
		{"values that are none, for nobody looks", `{"a":treu,"b":00.}`, ""},
		{"text and numbers as ever", `"a"`, ""},
		{"a string that does not end", `{"a":"` + long, "ends too early"},
		{"an array that does not end", `[` + long, "ends too early"},
		{"a backslash at the end", `["\`, "ends too early"},
		{"a backslash outside of a string", `{"a":\"}"}`, "a backslash stands outside of a string"},
		{"one bracket too deep", strings.Repeat("[", 9) + strings.Repeat("]", 9), "nests too deep"},
		{"a number that is none", `01`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, behind := range []string{"", strings.Repeat(" ", lookBytes), `,"next":"` + long + `"}`} {
				if test.want == "it ends too early" && behind != "" {
					continue
				}
				s := scanner{b: []byte(test.value + behind), maxDepth: 8}
				end := s.pass(0, 0)
				switch {
				case test.value == "01":
					require.Equal(t, 1, end)
				case test.want == "":
					require.NoError(t, s.err)
					require.Equal(t, len(test.value), end)
				case behind == "" || !strings.Contains(test.want, "early"):
					require.ErrorContains(t, s.err, test.want)
				}
			}
		})
	}
}

// What machines with vectors pass over, others do too: a state that is computed
// again elsewhere must come out the same.
func TestAnyMachinePassesOverTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	alphabet := []string{`"`, `"`, `\`, `\\`, `\"`, "{", "}", "[", "]", "[{", "}]", ":", ",", "1", "x", "\n", "é", strings.Repeat("y", 30), strings.Repeat(`\`, 31)}
	for range 20_000 {
		var b strings.Builder
		b.WriteString([]string{"{", "["}[random.IntN(2)])
		for range random.IntN(60) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		passAlike(t, []byte(b.String()+strings.Repeat("]", random.IntN(80))), 0)
	}
}

// passAlike compares the ways to pass over the object or the array at i.
func passAlike(t *testing.T, body []byte, i int) {
	t.Helper()
	one, other := scanner{b: body, maxDepth: 12}, scanner{b: body, maxDepth: 12}
	require.Equal(t, one.passBytes(i, 0), other.pass(i, 0), "%q", body)
	require.Equal(t, one.err, other.err, "%q", body)
}

func TestFactsAreThoseOfEverything(t *testing.T) {
	for _, kind := range []bodies.Kind{bodies.Small, bodies.MB1, bodies.Big} {
		factsAlike(t, bodies.Generate(3, kind))
	}
}

// factsAlike decodes a body that a door would take with everything and with facts
// alone: they say the same, but for what is passed over.
func factsAlike(t *testing.T, body []byte) {
	t.Helper()
	limits := limitsOf(assemble.KeepAll)
	all, err := feed(body, limits)
	require.NoError(t, err, "%q", body)
	limits.FactsOnly = true
	facts, err := feed(body, limits)
	require.NoError(t, err, "%q", body)
	require.Equal(t, keptProblems(all), keptProblems(facts), "%q", body)
	require.Equal(t, []int{all.Report.Received, all.Report.Accepted, all.Report.Rejected, all.Report.WithoutResult, all.Report.SuiteErrors},
		[]int{facts.Report.Received, facts.Report.Accepted, facts.Report.Rejected, facts.Report.WithoutResult, facts.Report.SuiteErrors}, "%q", body)
	want, got := executionsOf(all), executionsOf(facts)
	for i := range got {
		got[i].Mark() // Detection asks for no place.
	}
	for i := range want {
		e := &want[i]
		e.HasDuration, e.Duration = false, 0
		if e.Details == nil {
			continue
		}
		if *e.Details = (testengine.Details{FailureExpanded: e.FailureExpanded()}); e.FailureExpanded() == "" {
			e.Details = nil
		}
	}
	require.Equal(t, want, got, "%q", body)
}

// keptProblems are those of what is a fact.
func keptProblems(result assemble.Result) (problems []string) {
	for _, problem := range problemsOf(result) {
		if !strings.Contains(problem, " history") && !strings.Contains(problem, " external_id ") {
			problems = append(problems, problem)
		}
	}
	return problems
}

// FuzzFacts: of whatever a door takes, facts are the same as with everything; on
// what is passed over, machines agree. What a door refuses may be taken for its facts.
func FuzzFacts(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`[{"name":"n","id":[{"x":"\"]"}],"history":{"duration":1,"x":[{}]},"z":{"a\\":[ "]" ]},"external_id":5}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if check(body, limitsOf(assemble.KeepAll).MaxDepth) == nil {
			factsAlike(t, body)
		}
		for i, c := range body {
			if c == '{' || c == '[' {
				passAlike(t, body, i)
			}
		}
	})
}
