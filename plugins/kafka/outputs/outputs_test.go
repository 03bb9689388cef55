package outputs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is ten windows of a second with five lines each; change edits a line.
func said(change func(window, n int, line string) []string) string {
	var all []string
	for window := range 10 {
		for n := range 5 {
			line := fmt.Sprintf(`{"time": %d, "id": "v%d-%d", "rule": "blue"}`, window*1000+n, window, n)
			all = append(all, change(window, n, line)...)
		}
	}
	return strings.Join(all, "\n") + "\n"
}

func same(_, _ int, line string) []string { return []string{line} }

func TestOutputsAreComparedWindowByWindow(t *testing.T) {
	for _, test := range []struct {
		name                  string
		change                func(window, n int, line string) []string
		onlyFirst, onlySecond int
		example               string
	}{
		{"the same lines", same, 0, 0, ""},
		{"a field that is ignored", func(_, _ int, line string) []string {
			return []string{strings.Replace(line, "blue", "green", 1)}
		}, 0, 0, ""},
		{"a line is missing", func(window, n int, line string) []string {
			if window == 4 && n == 2 {
				return nil
			}
			return []string{line}
		}, 1, 0, `only in the first: {"id":"v4-2","time":4002}`},
		{"a line comes twice", func(window, n int, line string) []string {
			if window == 4 && n == 2 {
				return []string{line, line}
			}
			return []string{line}
		}, 0, 1, `only in the second: {"id":"v4-2","time":4002}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			windows, err := Compare(strings.NewReader(said(same)), strings.NewReader(said(test.change)), Options{Window: 1000, Time: "time", Ignore: []string{"rule"}})
			require.NoError(t, err)
			require.Len(t, windows, 10)
			first, second, whole := 0, 0, 0
			var found []string
			for _, w := range windows {
				first, second = first+w.OnlyFirst, second+w.OnlySecond
				found = append(found, w.Examples...)
				if w.Whole {
					whole++
				}
			}
			require.Equal(t, test.onlyFirst, first)
			require.Equal(t, test.onlySecond, second)
			require.Equal(t, 8, whole, "the first and the last window say nothing")
			if test.example != "" {
				require.Equal(t, []string{test.example}, found)
			}
		})
	}
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"no JSON", "nonsense", "line 2"},
		{"no time", `{"id": "a"}`, "time is no time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compare(strings.NewReader(""), strings.NewReader("{\"time\": 1}\n"+test.line), Options{Window: 1000, Time: "time"})
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "second output")
		})
	}
}

func TestTimesAreNumbersOrAsVerdictsHaveThem(t *testing.T) {
	first := `{"time": "1970-01-01T00:00:01.5Z", "id": 1}`
	windows, err := Compare(strings.NewReader(first), strings.NewReader(first), Options{Window: 1000, Time: "time"})
	require.NoError(t, err)
	require.Len(t, windows, 1)
	require.EqualValues(t, 1000, windows[0].Start)
}
