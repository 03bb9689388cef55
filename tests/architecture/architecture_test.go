// Package architecture looks at the bundle from outside: who imports whom.
package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "github.com/connect-testengine/connect-testengine/"

// Packages outside plugins/testengine that logic may know although they are not
// standard: the disk interface is the log's and the state's only door to files.
var doors = map[string]bool{"plugins/statestore/disk": true}

// Rims are inner packages that do I/O on purpose.
var rims = map[string]bool{
	"plugins/statestore/disk": true,
	// The log's door to Kafka: the protocol of offsets, sessions and transactions is
	// one piece with the client that speaks it, and is simulated through its dialer.
	"plugins/kafka/kafkalog": true,
	// What the simulated brokers of its tests lack; no program has it.
	"plugins/kafka/kafkalog/appendtime": true,
	// The state's door to a bucket: the client of S3 behind the interface state.Depot.
	"plugins/statestore/bucket": true,
}

type listed struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T, pattern string) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,GoFiles", root+pattern)
	out, err := command.Output()
	require.NoError(t, err)
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		if len(one.GoFiles) > 0 {
			one.ImportPath = strings.TrimPrefix(one.ImportPath, root)
			all = append(all, one)
		}
	}
}

// capability of plugins/flaky/detect is flaky; component is false for an inner folder.
func room(importPath string) (capability string, component bool) {
	parts := strings.Split(importPath, "/")
	if parts[0] != "plugins" || len(parts) < 2 {
		return "", false
	}
	return parts[1], len(parts) == 2
}

// shared are the folders that components may import: the words, the messages
// that carry them, and what a stateful processor is built on. The last is one
// place for recovery, so that no processor has code of its own for it.
func shared(capability string) bool {
	return capability == "testengine" || capability == "message" || capability == "stateful"
}

func TestImportsPointInwards(t *testing.T) {
	found := packages(t, "plugins/...")
	require.NotEmpty(t, found)
	for _, one := range found {
		capability, component := room(one.ImportPath)
		if capability == "all" {
			continue
		}
		for _, imported := range one.Imports {
			ours, isOurs := strings.CutPrefix(imported, root)
			switch {
			case strings.HasPrefix(imported, "github.com/redpanda-data/connect/"):
				t.Errorf("%s imports %s: plugins are written against benthos/public/service alone", one.ImportPath, imported)
			case !component && capability != "message" && !rims[one.ImportPath]:
				checkLogic(t, one.ImportPath, imported, ours, isOurs)
			case isOurs:
				other, otherIsComponent := room(ours)
				if otherIsComponent && other != capability && !shared(other) {
					t.Errorf("component %s imports component %s: components meet in YAML, not in Go", one.ImportPath, ours)
				}
			}
		}
	}
}

func checkLogic(t *testing.T, from, imported, ours string, isOurs bool) {
	t.Helper()
	if capability, _ := room(from); capability == "testengine" && isOurs {
		t.Errorf("%s imports %s: the shared words know nobody", from, ours)
		return
	}
	if isOurs {
		if capability, component := room(ours); component && capability != "testengine" {
			t.Errorf("logic %s imports component %s: arrows point inwards", from, ours)
		}
		return
	}
	if doors[ours] {
		return
	}
	switch imported {
	case "net", "net/http", "os", "database/sql":
		t.Errorf("logic %s imports %s: logic does no I/O, let the component fetch it", from, imported)
	}
	if strings.Contains(strings.Split(imported, "/")[0], ".") && !allowed[imported] {
		t.Errorf("logic %s imports %s: logic is standard library and plugins/testengine only", from, imported)
	}
}

// allowed names what logic imports beyond the standard library, with the reason.
var allowed = map[string]bool{
	// The adaptive limit is a kept library's; it measures by its own clock.
	"github.com/failsafe-go/failsafe-go/adaptivelimiter": true,
	// Pure computation, 1.4 times as fast as the standard library's.
	"github.com/klauspost/compress/gzip":  true,
	"github.com/klauspost/compress/flate": true,
	"github.com/klauspost/compress/zlib":  true,
	"github.com/klauspost/compress/zstd":  true,
	// Pure computation: the encodings that XML declarations name.
	"golang.org/x/text/encoding":           true,
	"golang.org/x/text/encoding/htmlindex": true,
	"golang.org/x/text/encoding/unicode":   true,
	// Pure computation: Avro's schema resolution, for records of other versions.
	"github.com/twmb/avro": true,
	// Pure computation: the buckets of DDSketch and HyperLogLog, formats of their authors.
	"github.com/DataDog/sketches-go/ddsketch/mapping": true,
	"github.com/axiomhq/hyperloglog":                  true,
}

func TestNobodyPhonesHome(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", root+"cmd/...").Output()
	require.NoError(t, err)
	require.NotContains(t, string(out), "connect/v4/internal/telemetry",
		"a custom build never reaches Connect's telemetry; it must stay unlinked")
}

// TestTheArchitectureNamesTestsThatExist keeps the tables of guards true.
func TestTheArchitectureNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	require.NoError(t, err)
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(names), 50)
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "grep", "-hoE", "^func Test[A-Za-z0-9]+", "--", "*_test.go").Output()
	require.NoError(t, err)
	there := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		there[strings.TrimPrefix(strings.TrimSpace(line), "func ")] = true
	}
	for _, name := range names {
		require.True(t, there[name[1]], "ARCHITECTURE.md names %s, which is no test", name[1])
	}
}

// TestEveryRuleOfExactlyOnceNamesATest reads the table of the rules, whose first
// column is their numbers.
func TestEveryRuleOfExactlyOnceNamesATest(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	require.NoError(t, err)
	guarded := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9, ]+) \|(.*)$`).FindAllStringSubmatch(string(text), -1) {
		require.Regexp(t, "`Test[A-Za-z0-9]+`", row[2], "rule %s", row[1])
		for number := range strings.SplitSeq(row[1], ", ") {
			require.False(t, guarded[number], "rule %s is there once", number)
			guarded[number] = true
		}
	}
	const rules = 29
	for number := range rules {
		require.True(t, guarded[strconv.Itoa(number+1)], "rule %d has no row", number+1)
	}
}
