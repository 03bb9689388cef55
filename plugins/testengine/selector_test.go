package testengine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestSelectorsAreDerived(t *testing.T) {
	tags := func(value string) []testengine.Tag {
		return []testengine.Tag{{Key: testengine.SelectorTag, Value: value}}
	}
	tests := []struct {
		name      string
		upload    testengine.Upload
		execution testengine.Execution
		want      string
	}{
		{"the file", testengine.Upload{TestRunner: "rspec"}, testengine.Execution{File: "spec/a_spec.rb"}, "spec/a_spec.rb"},
		{"the file without the prefix", testengine.Upload{LocationPrefix: "services/api/"}, testengine.Execution{File: "services/api/spec/a_spec.rb"}, "spec/a_spec.rb"},
		{"a prefix without a slash", testengine.Upload{LocationPrefix: "services/api"}, testengine.Execution{File: "services/api/spec/a_spec.rb"}, "spec/a_spec.rb"},
		{"a prefix that is only the beginning of a name", testengine.Upload{LocationPrefix: "services/a"}, testengine.Execution{File: "services/api/a_spec.rb"}, "services/api/a_spec.rb"},
		{"the location when there is no file", testengine.Upload{}, testengine.Execution{Location: "tests/money.spec.js:5:3"}, "tests/money.spec.js"},
		{"Go's package", testengine.Upload{Format: "go-jsonl"}, testengine.Execution{Scope: "example.com/acme/money", File: "money_test.go"}, "example.com/acme/money"},
		{"Go's package from JUnit of bktec", testengine.Upload{Format: "junit", TestRunner: "gotest"}, testengine.Execution{Scope: "example.com/acme/money"}, "example.com/acme/money"},
		{"the tag of the execution", testengine.Upload{Tags: tags("b")}, testengine.Execution{File: "c", Tags: tags("a")}, "a"},
		{"the tag of the upload", testengine.Upload{Tags: tags("b")}, testengine.Execution{File: "c"}, "b"},
		{"nothing", testengine.Upload{}, testengine.Execution{Scope: "s"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, test.upload.Selector(&test.execution))
			require.Zero(t, testing.AllocsPerRun(10, func() { test.upload.Selector(&test.execution) }))
		})
	}
}
