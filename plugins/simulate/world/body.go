package world

import (
	"fmt"
	"strconv"
	"strings"
)

// shape is how one collector names tests and writes bodies.
type shape struct {
	collector, version, runner, language, languageVersion string
	// before and between are the separators of its JSON.
	before, between string
	// again makes a name of a name that is taken.
	again string
	// retriesInside says that a failed test is repeated at once and reported in the same upload.
	retriesInside bool
	name          func(t *test, file int, d *dice)
	head          func(s *shape, t *test) []byte
	execution     func(dst []byte, j *job, t *test, o *outcome, clock float64) []byte
}

var shapes = [...]shape{
	{
		collector: "js-buildkite-test-collector", version: "1.12.0", runner: "jest", language: "javascript",
		languageVersion: "22.11.0", before: ",", between: ":", again: "%s (case %d)",
		name: nameJS, head: headOf, execution: executionJS,
	},
	{
		collector: "ruby-buildkite-test_collector", version: "2.14.0", runner: "rspec", language: "ruby",
		languageVersion: "3.4.1", before: ",", between: ":", again: "%s (example %d)", retriesInside: true,
		name: nameRuby, head: headOf, execution: executionRuby,
	},
	{
		collector: "python-buildkite-test-collector", version: "1.9.0", runner: "pytest", language: "python",
		languageVersion: "3.12.4", before: ", ", between: ": ", again: "%s_%d",
		name: namePython, head: headOf, execution: executionPython,
	},
}

// headOf writes the part of an execution that never changes.
func headOf(s *shape, t *test) []byte {
	dst := appendField(nil, s.before, "scope", s.between, t.scope)
	dst = appendField(dst, s.before, "name", s.between, t.name)
	dst = appendField(dst, s.before, "location", s.between, t.file+":"+strconv.Itoa(t.line))
	return appendField(dst, s.before, "file_name", s.between, t.file)
}

// body writes the upload of a job.
func (j *job) body(outcomes []outcome) []byte {
	s, shape := j.suite, j.suite.shape
	dst := make([]byte, 0, 2048+len(outcomes)*420)
	dst = append(dst, '{')
	dst = appendField(dst, "", "format", shape.between, "json")
	dst = append(dst, shape.before+`"run_env"`+shape.between+"{"...)
	dst = j.appendEnv(dst, shape)
	dst = append(dst, '}')
	if shape.language != "python" {
		dst = j.appendTags(dst, shape)
	}
	dst = append(dst, shape.before+`"data"`+shape.between+"["...)
	clock := 100 + 0.25*j.dice.float()
	for i := range outcomes {
		if i > 0 {
			dst = append(dst, shape.before...)
		}
		dst = shape.execution(dst, j, &s.tests[outcomes[i].test], &outcomes[i], clock)
		clock += outcomes[i].duration
	}
	dst = append(dst, ']')
	if shape.language == "python" {
		dst = j.appendTags(dst, shape)
	}
	return append(dst, '}')
}

func (j *job) appendEnv(dst []byte, s *shape) []byte {
	number := strconv.Itoa(j.run.number)
	ci := "CI"
	if s.language == "javascript" {
		ci = "ci"
	}
	dst = appendField(dst, "", ci, s.between, "buildkite")
	for _, field := range [...][2]string{
		{"key", j.key},
		{"url", "https://ci.example/" + j.suite.world.config.Organization + "/" + j.suite.name + "/builds/" + number},
		{"branch", j.branch},
		{"commit_sha", j.sha},
		{"number", number},
		{"job_id", string(appendUUID(nil, j.dice))},
		{"message", j.message},
		{"collector", s.collector},
		{"version", s.version},
		{"test_runner", s.runner},
	} {
		dst = appendField(dst, s.before, field[0], s.between, field[1])
	}
	if s.language != "javascript" {
		dst = appendField(dst, s.before, "language_version", s.between, s.languageVersion)
	}
	return dst
}

func (j *job) appendTags(dst []byte, s *shape) []byte {
	dst = append(dst, s.before+`"tags"`+s.between+"{"...)
	dst = appendField(dst, "", "ci.worker.id", s.between, j.host.id)
	for _, field := range [...][2]string{
		{"host.type", j.host.hostType},
		{"host.arch", j.host.arch},
		{"cloud.provider", "aws"},
		{"cloud.region", j.host.region},
		{"language.name", s.language},
		{"language.version", s.languageVersion},
		{"test.framework.name", s.runner},
	} {
		dst = appendField(dst, s.before, field[0], s.between, field[1])
	}
	return append(dst, '}')
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func snake(words ...string) string {
	text := strings.ToLower(strings.Join(words, "_"))
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == '"', r == ',':
			return -1
		}
		return '_'
	}, text)
}

// fileWords are the noun and the aspect that a file is about.
func fileWords(file int) (noun, aspect, number string) {
	noun, aspect = nouns[file%len(nouns)], aspects[file/len(nouns)%len(aspects)]
	if round := file / len(nouns) / len(aspects); round > 0 {
		number = fmt.Sprintf("_%d", round+1)
	}
	return noun, aspect, number
}
