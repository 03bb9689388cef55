package assemble

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func newBuilder(change func(*Limits)) *Builder {
	limits := DefaultLimits()
	if change != nil {
		change(&limits)
	}
	return New(Facts{UploadID: "up_1", Org: "o", Suite: "s"}, "json", limits)
}

func add(b *Builder, name string) *testengine.Execution {
	e := b.Begin(1000)
	e.Name = name
	return e
}

func TestBlocksAreCutByCountAndBySize(t *testing.T) {
	tests := []struct {
		name   string
		size   int
		text   int
		number int
		want   []int
	}{
		{"nothing is no block", 10, 1, 0, nil},
		{"a full block and a rest", 10, 1, 25, []int{10, 10, 5}},
		{"exactly full", 10, 1, 20, []int{10, 10}},
		{"long texts end a block early", 2000, 100_000, 20, []int{9, 9, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBuilder(func(l *Limits) { l.BlockSize = test.size })
			for i := range test.number {
				e := add(b, strings.Repeat("x", test.text))
				require.Equal(t, i, e.Index)
				b.Accept()
			}
			result := b.Finish()
			var sizes []int
			first := 0
			for _, block := range result.Blocks {
				require.Equal(t, first, block.First)
				first += len(block.Executions)
				sizes = append(sizes, len(block.Executions))
			}
			require.Equal(t, test.want, sizes)
			require.Equal(t, test.number, result.Report.Accepted)
		})
	}
}

func TestDetailsAreKeptAsToldTo(t *testing.T) {
	tests := []struct {
		name   string
		keep   KeepDetails
		result testengine.Result
		reason string
		kept   bool
	}{
		{"failed executions keep them", KeepFailed, testengine.ResultFailed, "", true},
		{"passed ones do not", KeepFailed, testengine.ResultPassed, "", false},
		{"those that passed at the second attempt do", KeepFailed, testengine.ResultPassed, "first attempt", true},
		{"all means all", KeepAll, testengine.ResultSkipped, "", true},
		{"none means none", KeepNone, testengine.ResultFailed, "r", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBuilder(func(l *Limits) { l.KeepDetails = test.keep })
			e := add(b, "n")
			e.Result, e.FailureReason, e.Detail().FailureExpanded, e.Detail().History = test.result, test.reason, "[1]", "{}"
			b.Accept()
			got := b.Finish().Blocks[0].Executions[0]
			require.Equal(t, test.kept, got.FailureExpanded() != "")
			require.Equal(t, test.kept, got.History() != "")
			require.Equal(t, test.reason, got.FailureReason)
		})
	}
}

func TestTagsHaveLimits(t *testing.T) {
	tests := []struct {
		name string
		tags []testengine.Tag
		want []testengine.Tag
	}{
		{"an ordinary tag", []testengine.Tag{{Key: "team", Value: "a"}}, []testengine.Tag{{Key: "team", Value: "a"}}},
		{"the last value of a key counts", []testengine.Tag{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}}, []testengine.Tag{{Key: "a", Value: "2"}}},
		{"all characters that are allowed", []testengine.Tag{{Key: "aZ09_-.x", Value: "!"}}, []testengine.Tag{{Key: "aZ09_-.x", Value: "!"}}},
		{"a key starts with a letter", []testengine.Tag{{Key: "1a", Value: "x"}, {Key: "", Value: "x"}, {Key: ".a", Value: "x"}}, nil},
		{"other characters are refused", []testengine.Tag{{Key: "a b", Value: "x"}, {Key: "é", Value: "x"}}, nil},
		{"63 bytes of key are the most", []testengine.Tag{{Key: strings.Repeat("k", 63), Value: "x"}, {Key: strings.Repeat("k", 64), Value: "x"}}, []testengine.Tag{{Key: strings.Repeat("k", 63), Value: "x"}}},
		{"127 bytes of value are the most", []testengine.Tag{{Key: "a", Value: strings.Repeat("v", 127)}, {Key: "b", Value: strings.Repeat("v", 128)}}, []testengine.Tag{{Key: "a", Value: strings.Repeat("v", 127)}}},
		{"a key may not begin another", []testengine.Tag{{Key: "a.b", Value: "x"}, {Key: "a.b.c", Value: "x"}, {Key: "a", Value: "x"}, {Key: "a.bc", Value: "x"}}, []testengine.Tag{{Key: "a.b", Value: "x"}, {Key: "a.bc", Value: "x"}}},
		{"mut is reserved", []testengine.Tag{{Key: "mut", Value: "x"}, {Key: "mut.a", Value: "x"}, {Key: "mutt", Value: "x"}}, []testengine.Tag{{Key: "mutt", Value: "x"}}},
		{"a bad value does not replace a good one", []testengine.Tag{{Key: "a", Value: "1"}, {Key: "a", Value: " "}}, []testengine.Tag{{Key: "a", Value: "1"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBuilder(nil)
			e := add(b, "n")
			for _, tag := range test.tags {
				b.Tag(e, tag.Key, tag.Value)
				b.UploadTag(tag.Key, tag.Value)
			}
			b.Accept()
			block := b.Finish().Blocks[0]
			require.Equal(t, test.want, block.Executions[0].Tags)
			require.Equal(t, test.want, block.Upload.Tags)
		})
	}
}

func TestTagsOfManyExecutionsDoNotTouch(t *testing.T) {
	b := newBuilder(nil)
	for i := range 500 {
		e := add(b, "n")
		for j := range i % 11 {
			b.Tag(e, string(rune('a'+j)), strings.Repeat("v", i%7+1))
		}
		if i%5 == 0 {
			b.Reject("name", "for the test", "")
		} else {
			b.Accept()
		}
	}
	for _, block := range b.Finish().Blocks {
		for _, e := range block.Executions {
			require.Len(t, e.Tags, min(10, e.Index%11))
			for j, tag := range e.Tags {
				require.Equal(t, testengine.Tag{Key: string(rune('a' + j)), Value: strings.Repeat("v", e.Index%7+1)}, tag)
			}
		}
	}
}

func TestFactsOfTheRun(t *testing.T) {
	b := newBuilder(func(l *Limits) { l.EnvKeys = 2 })
	for _, pair := range [][2]string{
		{"ci", ""},
		{"CI", "buildkite"},
		{"ci", "other"},
		{"key", "k"},
		{"branch", "refs/heads/a/b"},
		{"version", "1.2"},
		{"zeta", "1"},
		{"alpha", "2"},
		{"zeta", "3"},
		{"more", "4"},
		{"cwd", ""},
	} {
		b.Env(pair[0], pair[1])
	}
	add(b, "n")
	b.Accept()
	result := b.Finish()
	u := result.Blocks[0].Upload
	require.Equal(t, "buildkite", u.CI)
	require.Equal(t, "a/b", u.Branch)
	require.Equal(t, "1.2", u.CollectorVersion)
	require.False(t, u.RunKeyMissing)
	require.Equal(t, testengine.RunID(testengine.SuiteSeed("o", "s"), "k"), u.RunID)
	require.Equal(t, []testengine.Tag{{Key: "alpha", Value: "2"}, {Key: "zeta", Value: "1"}}, u.Env)
	require.Equal(t, "more", result.Report.Problems[0].Snippet)
}

func TestIdentityIsThatOfTheFinalName(t *testing.T) {
	for _, early := range []bool{true, false} {
		b := newBuilder(nil)
		if early {
			b.Env("execution_name_prefix", "[a] ")
			b.EnvKnown()
		}
		e := add(b, "n")
		e.Scope, e.File, e.Location = "  s", "./x/y.rb", "./x/y.rb:3"
		b.Accept()
		if !early {
			b.Env("execution_name_prefix", "[a] ")
		}
		b.EnvKnown()
		got := b.Finish().Blocks[0].Executions[0]
		require.Equal(t, "[a] n", got.Name)
		require.Equal(t, testengine.TestID(testengine.SuiteSeed("o", "s"), "  s", "[a] n"), got.TestID)
		require.Equal(t, "x/y.rb", got.File)
		require.Equal(t, "x/y.rb:3", got.Location)
	}
}

func TestNeighboursShareTheTextOfFileAndScope(t *testing.T) {
	b := newBuilder(nil)
	b.EnvKnown()
	for _, row := range [][3]string{{"", "a", "x"}, {"./f.rb", "a", "y"}, {"f.rb", "a", "z"}, {"g.rb", "b", "x"}, {"f.rb", "", "x"}, {"f.rb", "", "y"}} {
		e := add(b, row[2])
		e.File, e.Scope = strings.Clone(row[0]), strings.Clone(row[1])
		b.Accept()
	}
	list := b.Finish().Blocks[0].Executions
	seed := testengine.SuiteSeed("o", "s")
	for i, e := range list {
		require.Equal(t, testengine.TestID(seed, e.Scope, e.Name), e.TestID, i)
	}
	require.Equal(t, []string{"", "f.rb", "f.rb", "g.rb", "f.rb", "f.rb"}, []string{list[0].File, list[1].File, list[2].File, list[3].File, list[4].File, list[5].File})
	require.Same(t, unsafe.StringData(list[1].File), unsafe.StringData(list[2].File))
	require.Same(t, unsafe.StringData(list[4].File), unsafe.StringData(list[5].File))
	require.Same(t, unsafe.StringData(list[0].Scope), unsafe.StringData(list[2].Scope))
}

func TestLinesOfThePythonCollectorAreCountedFromOne(t *testing.T) {
	tests := []struct{ sent, want string }{
		{"a.py:0", "a.py:1"},
		{"a.py:9", "a.py:10"},
		{"a.py", "a.py"},
		{"a.py:x", "a.py:x"},
		{"", ""},
		{":4", ":5"},
		{"a.py:9223372036854775807", "a.py:9223372036854775807"},
		{"a.py:-3", "a.py:-3"},
	}
	for _, test := range tests {
		require.Equal(t, test.want, countedFromOne(test.sent))
	}
}

func TestProblemsAreCappedAndCounted(t *testing.T) {
	b := newBuilder(func(l *Limits) { l.MaxProblems = 3 })
	b.Env("key", "k")
	for range 10 {
		add(b, "")
		b.Reject("name", "missing", "x")
	}
	report := b.Finish().Report
	require.Len(t, report.Problems, 3)
	require.Equal(t, map[string]int{"name: missing": 10}, report.ProblemCounts)
	require.Equal(t, 10, report.Rejected)
	require.Equal(t, 10, report.Received)
}

func TestARefusedUploadKeepsNothingAndSaysWhy(t *testing.T) {
	b := newBuilder(func(l *Limits) { l.MaxProblems = 0 })
	add(b, "n")
	b.Accept()
	result := b.Refuse(errors.New("broken"), "snip")
	require.True(t, result.Refused)
	require.Empty(t, result.Blocks)
	require.Zero(t, result.Report.Received)
	require.Equal(t, []testengine.Problem{{Index: -1, Field: "body", Reason: "broken", Snippet: "snip"}}, result.Report.Problems)
}

func TestSnippetsAreShortValidCopies(t *testing.T) {
	tests := []struct {
		name  string
		value string
		most  int
	}{
		{"a short value stays", "abc", 3},
		{"a long one is cut", strings.Repeat("a", 300), 200},
		{"never inside a character", strings.Repeat("a", 199) + "é", 199},
		{"what is no UTF-8 is replaced, and still short", strings.Repeat("a\xff", 300), 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Snippet(test.value)
			require.LessOrEqual(t, len(got), test.most)
			require.GreaterOrEqual(t, len(got), test.most-3)
			require.True(t, utf8.ValidString(got))
		})
	}
}

func TestDetailsOfAnExecutionMadeElsewhereAreKept(t *testing.T) {
	b := newBuilder(nil)
	made := testengine.Execution{Name: "n", Result: testengine.ResultFailed}
	made.Detail().ExternalID, made.Detail().History = "x", "{}"
	*b.Begin(0) = made
	b.Accept()
	b.Begin(0).Name = "other"
	b.Accept()
	executions := b.Finish().Blocks[0].Executions
	require.Equal(t, testengine.Details{ExternalID: "x", History: "{}"}, *executions[0].Details)
	require.Nil(t, executions[1].Details)
}
