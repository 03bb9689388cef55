package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestTags(t *testing.T) {
	u := &testengine.Upload{
		RunKey: "b7", Branch: "main", CommitSHA: "5e1f", JobID: "j-33", CI: "buildkite", Collector: "ruby-buildkite-test_collector",
		CollectorVersion: "2.1", TestRunner: "rspec", LanguageVersion: "3.3.1",
		Tags: []testengine.Tag{{Key: "language.version", Value: "jruby"}, {Key: "team", Value: "billing"}},
	}
	require.Equal(t, []testengine.Tag{
		{Key: "build.id", Value: "b7"},
		{Key: "build.job_id", Value: "j-33"},
		{Key: "ci", Value: "buildkite"},
		{Key: "collector.name", Value: "ruby-buildkite-test_collector"},
		{Key: "collector.version", Value: "2.1"},
		{Key: "language.name", Value: "ruby"},
		{Key: "scm.branch", Value: "main"},
		{Key: "scm.commit_sha", Value: "5e1f"},
		{Key: "test.framework.name", Value: "rspec"},
	}, Tags(u), "what was sent wins")
	require.Empty(t, Tags(&testengine.Upload{RunKey: "made up", RunKeyMissing: true}))
}

func TestPath(t *testing.T) {
	for _, test := range []struct{ name, prefix, cwd, file, want string }{
		{"as sent", "", "", "spec/a.rb", "spec/a.rb"},
		{"with a leading dot", "", "", "./spec/a.rb", "spec/a.rb"},
		{"with backslashes", "", "", `test\A.cs`, "test/A.cs"},
		{"a prefix that was only sent", "packages/money/", "", "spec/a.rb", "packages/money/spec/a.rb"},
		{"a prefix that was applied", "packages/money", "", "packages/money/spec/a.rb", "packages/money/spec/a.rb"},
		{"a path within the build's folder", "", "/ci/job", "/ci/job/spec/a.rb", "spec/a.rb"},
		{"a path outside of it", "pre", "/ci/job", "/opt/spec/a.rb", "/opt/spec/a.rb"},
		{"no file", "pre", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := &testengine.Upload{LocationPrefix: test.prefix, Env: []testengine.Tag{{Key: "cwd", Value: test.cwd}}}
			require.Equal(t, test.want, Path(u, test.file))
		})
	}
}

func TestMergeKeepsWhatIsThere(t *testing.T) {
	require.Equal(t, []testengine.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
		Merge([]testengine.Tag{{Key: "a", Value: "1"}}, testengine.Tag{Key: "a", Value: "3"}, testengine.Tag{Key: "b", Value: "2"}))
}
