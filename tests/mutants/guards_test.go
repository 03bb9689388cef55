// Package mutants holds guards.tsv against the code: run.sh needs hours for what
// it shows, and a guard that fits nothing any more would show nothing.
package mutants

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryGuardFitsTheCodeAndNamesATestThatExists(t *testing.T) {
	guards, err := os.ReadFile("guards.tsv")
	require.NoError(t, err)
	for line := range strings.Lines(string(guards)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, row, 5, "guard, file, Perl replacement, package, test: %s", line)
		t.Run(row[0], func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("../..", row[1]))
			require.NoError(t, err)
			mutate := exec.CommandContext(t.Context(), "perl", "-0pe", row[2])
			mutate.Stdin = bytes.NewReader(source)
			mutant, err := mutate.Output()
			require.NoError(t, err)
			if bytes.Equal(source, mutant) {
				t.Errorf("the replacement fits nothing in %s", row[1])
			}

			flags := strings.Fields(row[3]) // The package comes last.
			tests, err := filepath.Glob(filepath.Join("../..", flags[len(flags)-1], "*_test.go"))
			require.NoError(t, err)
			named := regexp.MustCompile(`(?m)^func ` + row[4] + `\(`)
			for _, file := range tests {
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				if named.Match(content) {
					return
				}
			}
			t.Errorf("there is no test %s in %s", row[4], row[3])
		})
	}
}
