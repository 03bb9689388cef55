package query

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseFilter(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Filter
	}{
		{"nothing keeps everything", "  ", nil},
		{"a term is a key and a value", "host.type:c7g", Filter{{Key: "host.type", Value: "c7g"}}},
		{"an exclamation mark negates", "branch:!main", Filter{{Key: "branch", Value: "main", Not: true}}},
		{"a star at the end means starts with", "host.type:c7g*", Filter{{Key: "host.type", Value: "c7g", Match: MatchPrefix}}},
		{"both together mean does not start with", "a:!b*", Filter{{Key: "a", Value: "b", Match: MatchPrefix, Not: true}}},
		{"a star alone means has the tag at all", "a:*", Filter{{Key: "a", Match: MatchPrefix}}},
		{"an empty value means has it not", "team:", Filter{{Key: "team"}}},
		{"commas join", "host.type:c7g*,result:^failed", Filter{{Key: "host.type", Value: "c7g", Match: MatchPrefix}, {Key: "result", Value: "failed", Match: MatchOnly}}},
		{"a tilde asks for at least one", "result:~failed", Filter{{Key: "result", Value: "failed", Match: MatchAny}}},
		{"the tilde can be negated", "result:!~failed", Filter{{Key: "result", Value: "failed", Match: MatchAny, Not: true}}},
		{"tilde and caret mean nothing for tags", "a:~b,c:^d", Filter{{Key: "a", Value: "~b"}, {Key: "c", Value: "^d"}}},
		{"the first colon ends the key", "url:http://x", Filter{{Key: "url", Value: "http://x"}}},
		{"a backslash takes the meaning away", `a:\!x\,y\*,b:c\\`, Filter{{Key: "a", Value: "!x,y*"}, {Key: "b", Value: `c\`}}},
		{"space around a term does not count", "a: b , c:d", Filter{{Key: "a", Value: "b"}, {Key: "c", Value: "d"}}},
		{"space inside a value counts", "os:Mac OS X", Filter{{Key: "os", Value: "Mac OS X"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			filter, err := ParseFilter("filter", test.text)
			require.NoError(t, err)
			require.Equal(t, test.want, filter)
		})
	}
}

func TestParseFilterSaysWhere(t *testing.T) {
	for _, test := range []struct{ name, text, says string }{
		{"a word without colon", "host.type", `filter, character 1: "host.type" has no colon`},
		{"the second term is meant", "a:b,nope", `filter, character 5: "nope" has no colon`},
		{"a comma at the end begins a term", "a:b,", `filter, character 5: "" has no colon`},
		{"an empty key", ":x", "filter, character 1: the key is empty"},
		{"a key with a space", "host type:x", `"host type" is no key`},
		{"a star in the middle", "a:b*c", "filter, character 4: a star can only stand at the end"},
		{"a backslash at the end", `a:b\`, "filter, character 4: a backslash needs a character behind it"},
		{"a result nobody sends", "result:green", `filter, character 8: "green" is no result`},
		{"a group with the start of a result", "result:~fail*", "~ and ^ take a whole result"},
		{"a time", "time.day:2026-01-01", "time.day can only be grouped by"},
		{"bytes that are no text", "a:\xff", "it is not valid UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseFilter("filter", test.text)
			require.ErrorContains(t, err, test.says)
		})
	}
}

// FuzzParseFilter: whatever is typed never panics, an error lies inside the
// text, and a filter that is written out reads back as the same filter.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"host.type:c7g*,result:^failed", `a:\!x\,y\*`, "result:!~failed", "a: b ,c:", "a:b\\ ", "a:\\ b", "a:!!x", "k:!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter("filter", text)
		if err != nil {
			wrong, ok := err.(*FilterError) //nolint:errorlint // it is never wrapped
			require.True(t, ok)
			require.GreaterOrEqual(t, wrong.Position, 0)
			require.LessOrEqual(t, wrong.Position, len(text))
			return
		}
		again, err := ParseFilter("filter", filter.String())
		require.NoError(t, err, filter.String())
		require.Equal(t, filter, again, filter.String())
	})
}
