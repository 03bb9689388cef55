package adversary

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// pair is a member of an object: collectors differ in the order of keys.
type pair struct {
	key   string
	value any
}

type object []pair

// appendTo writes the object as JSON. All texts of a world are plain ASCII.
func (o object) appendTo(b []byte) []byte {
	b = append(b, '{')
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, p.key), ':')
		switch value := p.value.(type) {
		case string:
			b = strconv.AppendQuote(b, value)
		case float64:
			b = strconv.AppendFloat(b, value, 'g', -1, 64)
		case object:
			b = value.appendTo(b)
		case []object:
			b = append(b, '[')
			for n, one := range value {
				if n > 0 {
					b = append(b, ',')
				}
				b = one.appendTo(b)
			}
			b = append(b, ']')
		}
	}
	return append(b, '}')
}

// tell sends the results of a job as its collector does: late, doubled and in parts, as it happens.
func (s *Suite) tell(j *job, list []execution) {
	if len(list) == 0 {
		return
	}
	batch := len(list)
	switch s.shape.body {
	case "pytest":
		batch = 100
	case "rspec":
		batch = 50
	}
	for first := 0; first < len(list); first += batch {
		part := list[first:min(first+batch, len(list))]
		at := j.start + j.length*int64(first+len(part))/int64(len(list)) + int64(s.rng.IntN(1500))
		if s.chance(.015) {
			at += int64(s.rng.ExpFloat64() * 40 * float64(minute))
		}
		line := Line{ReceivedAt: at, Suite: s.Name, Body: s.body(j, part), Executions: len(part)}
		s.lines = append(s.lines, line)
		if s.chance(.01) {
			line.ReceivedAt += int64(s.between(.1, 50) * float64(minute))
			s.lines = append(s.lines, line)
		}
	}
}

func (s *Suite) body(j *job, list []execution) []byte {
	data := make([]object, len(list))
	for i := range list {
		data[i] = s.entry(j, &list[i], i)
	}
	tags := object{{"ci.worker.id", j.host}}
	env := s.env(j)
	var body object
	switch s.shape.body {
	case "rspec":
		body = object{{"run_env", env}, {"tags", tags}, {"format", "json"}, {"data", data}}
	case "pytest":
		body = object{{"format", "json"}, {"run_env", env}, {"data", data}, {"tags", tags}}
	case "rust":
		body = object{{"format", "json"}, {"run_env", env}, {"data", data}}
		var b bytes.Buffer
		if err := json.Indent(&b, body.appendTo(nil), "", "  "); err != nil {
			panic(err) // appendTo writes JSON
		}
		return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte(" ")) // a line of the history holds no line breaks
	case "jest":
		tags = append(tags, pair{"host.os", s.shape.variants[j.variant]}, pair{"host.type", "m7"})
		fallthrough
	default:
		body = object{{"format", "json"}, {"run_env", env}, {"tags", tags}, {"data", data}}
	}
	return body.appendTo(nil)
}

var collectors = map[string]string{
	"rspec": "ruby-buildkite-test_collector", "pytest": "python-buildkite-test-collector", "rust": "rust-buildkite-test-collector",
}

func (s *Suite) env(j *job) object {
	branch := j.branch
	ci, collector := "ci", collectors[s.shape.body]
	if collector == "" {
		collector = "js-buildkite-test-collector"
	} else {
		ci = "CI"
	}
	if s.shape.body == "rspec" && j.kind == "work" {
		branch = "refs/heads/" + branch
	}
	env := object{
		{ci, "buildkite"},
		{"key", j.key},
		{"url", "https://ci.invalid/" + j.key},
		{"branch", branch},
		{"commit_sha", j.sha},
		{"number", strconv.Itoa(j.number)},
		{"job_id", j.id},
		{"message", "Change things"},
		{"collector", collector},
		{"test_runner", s.shape.body},
	}
	if s.shape.body == "pytest" {
		env = append(env, pair{"language_version", s.shape.variants[j.variant]})
	}
	return env
}

// entry tells of one execution.
func (s *Suite) entry(j *job, x *execution, i int) object {
	t := x.test
	file := t.File
	if s.shape.body == "rspec" {
		file = "./" + file
	}
	scope := t.Scope
	if s.shape.body == "playwright" {
		scope = "  " + scope
	}
	o := object{
		{"id", j.id + "-" + strconv.Itoa(i)},
		{"scope", scope},
		{"name", t.Name},
		{"location", file + ":" + strconv.Itoa(t.id)},
		{"file_name", file},
	}
	if x.result != "" {
		o = append(o, pair{"result", x.result})
	}
	switch {
	case x.message == "" && (s.shape.body == "vitest" || s.shape.body == "playwright"):
		o = append(o, pair{"failure_reason", ""})
	case x.message != "" && s.shape.body != "bare":
		o = append(o, pair{"failure_reason", strings.Split(x.message, "\n")[0]}, pair{"failure_expanded", []object{{
			{"expanded", []object{}}, {"backtrace", []object{}},
		}}})
	}
	return append(o, pair{"history", object{{"section", "top"}, {"start_at", .1 * float64(i)}, {"duration", .05}}})
}
