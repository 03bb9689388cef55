package owners

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwner(t *testing.T) {
	for _, test := range []struct{ name, rules, file, want string }{
		{"the last line that matches decides", "* platform\nspec/ billing\n*.rb ruby", "spec/money.rb", "ruby"},
		{"the first team of a line is told", "spec/ billing payments", "spec/money.rb", "billing"},
		{"a line without owner takes nothing away", "spec/ billing\nspec/old/", "spec/old/a.rb", "billing"},
		{"nobody owns what nothing matches", "/lib/ core", "spec/money.rb", ""},
		{"a name matches at any depth", "money.rb billing", "a/b/money.rb", "billing"},
		{"a folder's name matches at any depth", "apps/ octocat", "x/apps/y/z.rb", "octocat"},
		{"a folder is not a file", "apps/ octocat", "x/apps", ""},
		{"a leading slash is the root", "/docs/ doctocat", "x/docs/a.md", ""},
		{"an inner slash is the root too", "docs/api doctocat", "x/docs/api/a.md", ""},
		{"what matches a folder matches what is in it", "/docs doctocat", "docs/x/y.md", "doctocat"},
		{"a last /* means the files of the folder", "docs/* docs", "docs/a.md", "docs"},
		{"and not those below", "docs/* docs", "docs/x/a.md", ""},
		{"** is any number of folders", "**/logs octocat", "build/x/logs/a.log", "octocat"},
		{"** is none as well", "**/logs octocat", "logs/a.log", "octocat"},
		{"** in the middle", "/a/**/z.js web", "a/b/c/z.js", "web"},
		{"** at the end", "/a/** web", "a/b/c/z.js", "web"},
		{"* stays within a name", "/a/*.js web", "a/b/z.js", ""},
		{"? is one character", "test?.py py", "x/test1.py", "py"},
		{"stars do not make it slow", "a*a*a*a*a*a*a*a*b x", strings.Repeat("a", 200), ""},
		{"comments and blank lines", "# all\n\n* platform # everybody", "a", "platform"},
		{"a blank in a name", `my\ spec/ billing`, "my spec/a.rb", "billing"},
		{"a leading ./ of the file", "/spec/ billing", "./spec/a.rb", "billing"},
		{"no file", "* platform", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules, problems := Parse(test.rules)
			require.Empty(t, problems)
			require.Equal(t, test.want, rules.Owner(test.file))
		})
	}
}

func TestLinesThatAreNotUnderstoodAreReported(t *testing.T) {
	rules, problems := Parse("!a x\n[ab].rb y\n* ok\n// z\n")
	require.Equal(t, []Problem{{1, errNegated.Error()}, {2, errRange.Error()}, {4, errEmpty.Error()}}, problems)
	require.Equal(t, "line 1: a pattern that is negated by ! is not known here", problems[0].Error())
	require.Equal(t, 1, rules.Len())
	_, problems = Parse(strings.Repeat("#", MaxBytes+1))
	require.Len(t, problems, 1)
}

func FuzzOwner(f *testing.F) {
	f.Add("/a/**/b?*.js x y\n", "a/b/c.js")
	// No file and no path makes it panic or hang. Whatever stands above it, a last
	// line for every file decides, and a last line for no such file changes nothing.
	f.Fuzz(func(t *testing.T, text, file string) {
		rules, _ := Parse(text)
		before := rules.Owner(file)
		other, _ := Parse(text + "\n/nowhere/" + strings.Repeat("x", len(file)+1) + " other\n")
		require.Equal(t, before, other.Owner(file))
		last, _ := Parse(text + "\n* last\n")
		if strings.Trim(file, "./") != "" && len(text) < MaxBytes-100 {
			require.Equal(t, "last", last.Owner(file))
		}
	})
}
