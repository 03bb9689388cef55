package signature

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// normal is a failure's first line as it is compared: what differs from one
// failure to the next is replaced by #, quoted text by "*".
func normal(reason string) string { return string(appendNormal(nil, firstLine(reason))) }

func TestWhatDiffersBetweenFailuresOfOneCauseIsReplaced(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"numbers", "Broker took 10287ms to close", "Broker took #ms to close"},
		{"signs and decimals", "expected [-1] but found [10.0]", "expected [#] but found [#]"},
		{"times", "at 2021-03-12T08:14:49.039Z on", "at #T#Z on"},
		{"addresses and ports", "connect to 127.0.0.1:41727 refused", "connect to # refused"},
		{"UUIDs", "run 8d1f0a3c-abcd-4fff-8888-1234567890ab gone", "run # gone"},
		{"pointers", "Test$$Lambda/0x00007f463cc35ee8 was", "Test$$Lambda/# was"},
		{"identity hashes", "found [a.b.MessageImpl@5a3c9070]", "found [a.b.MessageImpl@#]"},
		{"identity hashes without a digit", "found [a.b.MessageImpl@abcdefa]", "found [a.b.MessageImpl@#]"},
		{"names that differ by number", "my-message-9 or usc-0-0", "my-message-# or usc-#"},
		{"random ids", "key a3f9z1 or deadbeef99", "key # or #"},
		{"quoted text", `Cannot invoke "a.b()" because 'c' is null`, `Cannot invoke "" because "" is null`},
		{"not an apostrophe", "Method didn't finish", "Method didn't finish"},
		{"an open quote stays", `said "no`, `said "no`},
		{"blanks and colours", "  \x1b[31mboom\x1b[0m \t twice ", "boom twice"},
		{"only the first line that is not blank", "\n\n a\nb", "a"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, normal(test.line)) })
	}
}

func TestTheFullSignatureLooksAtOwnFramesWithoutLines(t *testing.T) {
	frames := func(lines ...string) testengine.RawJSON {
		raw, err := json.Marshal([]map[string][]string{{"expanded": {"text"}, "backtrace": lines}})
		require.NoError(t, err)
		return testengine.RawJSON(raw)
	}
	one := Of("boom 1", frames("at java.lang.Thread.run(Thread.java:1)", "at a.b.T.x(T.java:10)", "at a.b.T.lambda$y$3(T.java:20)"))
	for _, test := range []struct {
		name     string
		frames   testengine.RawJSON
		same     bool
		sameText bool
	}{
		{"other lines, lambda numbers and library frames are the same cause", frames("at a.b.T.x(T.java:99)", "at org.testng.A.b(A.java:1)", "at a.b.T.lambda$y$17(T.java:2)"), true, true},
		{"a third frame does not count", frames("at a.b.T.x(T.java:9)", "at a.b.T.lambda$y$1(T.java:2)", "at a.b.Other.z(O.java:3)"), true, true},
		{"another method is another cause", frames("at a.b.T.z(T.java:9)", "at a.b.T.lambda$y$1(T.java:2)"), false, true},
		{"no frames are another cause", "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			two := Of("boom 2", test.frames)
			require.Equal(t, test.same, one.Full == two.Full)
			require.Equal(t, test.sameText, one.Message == two.Message)
		})
	}
}

func TestFramesOfAllLanguagesAreFound(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"Java", "at a.b.T.x(T.java:10)", "at a.b.T.x(T.java:10)"},
		{"JavaScript", "    at Context.<anonymous> (/ci/job/7/js/spec/money.spec.js:4:30)", "at Context.<anonymous> (spec/money.spec.js:4:30)"},
		{"Ruby", "/ci/app/spec/money_spec.rb:7:in `block'", "spec/money_spec.rb:7:in `block'"},
		{"Python", `File "/ci/app/tests/test_money.py", line 3, in test_x`, `File "tests/test_money.py", line 3, in test_x`},
		{"pytest", "tests/unit/test_money.py:4: AssertionError", "unit/test_money.py:4: AssertionError"},
		{"Go", "money_test.go:12: boom", "money_test.go:12: boom"},
		{"a library's frame", "at Object.run (/ci/node_modules/jest/x.js:1:1)", ""},
		{"text", "expected: 2", ""},
		{"text with a time", "late 12:30", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := json.Marshal([]any{map[string]any{"expanded": []string{"", test.line}}})
			require.NoError(t, err)
			got, _ := newFrameReader(string(raw)).next()
			require.Equal(t, test.want, got)
		})
	}
}

func TestAFailureThatSaysNothingHasNoSignature(t *testing.T) {
	require.Zero(t, Of("", ""))
	require.Zero(t, Of(" \n ", `[{"expanded":[]}]`))
	require.Equal(t, Of("boom", "").Message, Of("", `[{"expanded":["","boom"]}]`).Message)
	require.NotZero(t, Of("boom", `[{"expanded":["unfinished`))
}

func TestPulsarFailuresFallIntoAsManyGroupsAsMeasured(t *testing.T) {
	file, err := os.Open("../../../tests/testdata/pulsar/failures.ndjson.gz")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines, messages, full := 0, map[uint64]bool{}, map[uint64]bool{}
	for scanner := bufio.NewScanner(unzipped); scanner.Scan(); lines++ {
		var failure struct {
			Message   string
			OwnFrames []string `json:"own_frames"`
		}
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &failure))
		raw, err := json.Marshal([]map[string][]string{{"backtrace": failure.OwnFrames}})
		require.NoError(t, err)
		s := Of(failure.Message, testengine.RawJSON(raw))
		messages[s.Message], full[s.Full] = true, true
	}
	t.Logf("%d failures: %d messages, %d with frames", lines, len(messages), len(full))
	require.InDelta(t, 340, len(messages), 15)
	require.InDelta(t, 622, len(full), 30)
}

func FuzzOf(f *testing.F) {
	f.Add("a 1\nb", `[{"expanded":["at a.b(c:1)"],"backtrace":["x\ny"]}]`)
	f.Add("'\"`\x1b", `["`)
	// Whatever is sent, the same gives the same, and nothing panics.
	f.Fuzz(func(t *testing.T, reason, expanded string) {
		once := Of(reason, testengine.RawJSON(expanded))
		again := Of(strings.Clone(reason), testengine.RawJSON(strings.Clone(expanded)))
		require.Equal(t, once, again)
		require.LessOrEqual(t, len(normal(reason)), len(reason)+1)
	})
}

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Of("java.lang.AssertionError: Received message my-message-9 did not match expected [my-message-1]",
			`[{"expanded":["text"],"backtrace":["at org.testng.Assert.fail(Assert.java:10)","at a.b.T.x(T.java:10)","at a.b.T.y(T.java:20)"]}]`)
	}
}
