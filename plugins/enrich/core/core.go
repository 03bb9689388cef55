// Package core derives an upload's core tags and the paths of its files: what
// every collector says in its own words, under one name.
package core

import (
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// FileKey is the tag for an execution's path in the repository.
const FileKey = "code.file.path"

// languages by how collectors name themselves.
var languages = []struct{ part, name string }{
	{"ruby", "ruby"},
	{"python", "python"},
	{"js-buildkite", "javascript"},
	{"swift", "swift"},
	{"android", "kotlin"},
	{"dotnet", "dotnet"},
	{"elixir", "elixir"},
	{"rust-", "rust"},
}

// Tags returns the core tags of an upload, in order of key. A tag that the
// upload carries itself is left out: what was sent wins.
func Tags(u *testengine.Upload) []testengine.Tag {
	runKey := u.RunKey
	if u.RunKeyMissing {
		runKey = ""
	}
	all := []testengine.Tag{
		{Key: "build.id", Value: runKey},
		{Key: "build.job_id", Value: u.JobID},
		{Key: "ci", Value: u.CI},
		{Key: "collector.name", Value: u.Collector},
		{Key: "collector.version", Value: u.CollectorVersion},
		{Key: "language.name", Value: language(u.Collector)},
		{Key: "language.version", Value: u.LanguageVersion},
		{Key: "scm.branch", Value: u.Branch},
		{Key: "scm.commit_sha", Value: u.CommitSHA},
		{Key: "test.framework.name", Value: u.TestRunner},
	}
	return slices.DeleteFunc(all, func(tag testengine.Tag) bool {
		if tag.Value == "" {
			return true
		}
		_, sent := u.Tag(tag.Key)
		return sent
	})
}

func language(collector string) string {
	for _, l := range languages {
		if strings.Contains(collector, l.part) {
			return l.name
		}
	}
	return ""
}

// Merge adds tags whose keys are not there yet.
func Merge(tags []testengine.Tag, more ...testengine.Tag) []testengine.Tag {
	for _, tag := range more {
		if !slices.ContainsFunc(tags, func(t testengine.Tag) bool { return t.Key == tag.Key }) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Path returns a file's path in the repository: with slashes, without the
// folder in which the build ran, and with the upload's location prefix, which
// some collectors apply and others only send.
func Path(u *testengine.Upload, file string) string {
	path := file
	if strings.IndexByte(path, '\\') >= 0 {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	path = strings.TrimPrefix(path, "./")
	absolute := strings.HasPrefix(path, "/")
	if absolute {
		cwd := env(u, "cwd")
		rest, inside := strings.CutPrefix(path, strings.TrimSuffix(cwd, "/")+"/")
		if cwd == "" || !inside {
			return path
		}
		path = rest
	}
	prefix := strings.Trim(strings.TrimPrefix(u.LocationPrefix, "./"), "/")
	if prefix == "" || path == "" || strings.HasPrefix(path, prefix+"/") {
		return path
	}
	return prefix + "/" + path
}

func env(u *testengine.Upload, key string) string {
	for i := range u.Env {
		if u.Env[i].Key == key {
			return u.Env[i].Value
		}
	}
	return ""
}
