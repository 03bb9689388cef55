package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// loaded is what the load generator printed.
type loaded struct {
	perSecond, megabytes, p50, p99 float64
	// served is what the server says of its own part, worked that without the waiting for others.
	served50, served99, worked99 float64
	accepted                     int
}

// load runs the generator in its own process until it ends.
func load(b *testing.B, process *harness.Process, args ...string) loaded {
	b.Helper()
	return startLoad(b, process, args...)()
}

var buildGenerator sync.Once

// generator returns the path of the load generator; it is built once per test process.
func generator(b *testing.B) string {
	b.Helper()
	path := filepath.Join(harness.Root(), "bin", "bench-load")
	buildGenerator.Do(func() {
		out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "./load").CombinedOutput()
		require.NoError(b, err, "%s", out)
	})
	return path
}

// startLoad starts the generator; the result waits for its end.
func startLoad(b *testing.B, process *harness.Process, args ...string) (wait func() loaded) {
	b.Helper()
	return startLoadAt(b, strings.TrimPrefix(process.URL, "http://"), args...)
}

func startLoadAt(b *testing.B, address string, args ...string) (wait func() loaded) {
	b.Helper()
	args = append([]string{"-address", address}, args...)
	command := exec.CommandContext(b.Context(), generator(b), args...)
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	require.NoError(b, command.Start())
	return func() loaded {
		require.NoError(b, command.Wait(), "%s", printed.Bytes())
		return readLoaded(b, printed.Bytes())
	}
}

func readLoaded(b *testing.B, out []byte) loaded {
	b.Helper()
	var l loaded
	var uploads int
	_, err := fmt.Sscanf(string(out), "executions/s %f MB/s %f p50 %f ms p99 %f ms served p50 %f ms p99 %f ms worked p99 %f ms uploads %d accepted %d",
		&l.perSecond, &l.megabytes, &l.p50, &l.p99, &l.served50, &l.served99, &l.worked99, &uploads, &l.accepted)
	require.NoError(b, err, "%s", out)
	require.Equal(b, uploads, l.accepted, "%s", out)
	return l
}

// processCPU is the CPU time of a process in seconds, memory its peak in MB.
func processCPU(b *testing.B, pid int) (seconds, memory float64) {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(b, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	memory, _ = strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return (user + system) / 100, memory / 1000
}

// BenchmarkDoor is HTTP to durable 202, the stream behind held back. An execution
// of OTLP is a span; MB are those of bodies before they are packed.
func BenchmarkDoor(b *testing.B) {
	for _, test := range []struct {
		name string
		args []string
	}{
		{"bodies of 1 MB", []string{"-body", "mb1"}},
		{"bodies of 100 KB", []string{"-body", "small"}},
		{"bodies of 1 MB, gzip", []string{"-body", "mb1", "-gzip"}},
		{"forms with JUnit of 1 MB", []string{"-body", "junit"}},
		{"OTLP of 512 spans", []string{"-body", "otlp"}},
		{"OTLP of 512 spans, gzip", []string{"-body", "otlp", "-gzip"}},
		{"OTLP of 512 spans in JSON", []string{"-body", "otlp-json"}},
		{"OTLP of 512 spans in JSON, gzip", []string{"-body", "otlp-json", "-gzip"}},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				process := harness.Start(b, harness.Options{Pipeline: "tests/bench/hold_back.yaml"})
				process.WaitReady(time.Minute)
				before, _ := processCPU(b, process.Pid())
				l := load(b, process, append(test.args, "-token", harness.Token, "-duration", "8s")...)
				after, memory := processCPU(b, process.Pid())
				b.ReportMetric(l.perSecond, "executions/s")
				b.ReportMetric(l.megabytes, "MB/s")
				b.ReportMetric((after-before)/(l.perSecond*8)*1e6, "µsServerCPU/execution")
				b.ReportMetric(l.p50, "p50ms")
				b.ReportMetric(l.p99, "p99ms")
				b.ReportMetric(memory, "peakMB")
				process.Kill()
			}
		})
	}
}

func stored(b *testing.B, process *harness.Process) float64 {
	b.Helper()
	status, body := process.Get("/v2/analytics/organizations/local/slices?measure=executions&period=1day")
	if status == http.StatusServiceUnavailable {
		return 0 // The store is opening.
	}
	require.Equal(b, http.StatusOK, status, body)
	var answer struct {
		Rows []struct {
			Executions float64 `json:"executions"`
		} `json:"rows"`
	}
	require.NoError(b, json.Unmarshal([]byte(body), &answer))
	if len(answer.Rows) == 0 {
		return 0
	}
	return answer.Rows[0].Executions
}

// eightSuites makes suites as an operator does: one suite is one lane, so one core.
func eightSuites(b *testing.B) (file, tokens string) {
	b.Helper()
	file = filepath.Join(b.TempDir(), "suites.yaml")
	var all []string
	for _, suite := range []string{"ios", "ui", "billing", "search", "api", "docs", "web", "infra"} {
		command := exec.CommandContext(b.Context(), harness.Binary(b), "suite", "add", "--file", file, "local/"+suite)
		out, err := command.CombinedOutput()
		require.NoError(b, err, "%s", out)
		all = append(all, regexp.MustCompile(`te_\w+`).FindString(string(out)))
	}
	return file, strings.Join(all, ",")
}

// BenchmarkQuickstart is the whole of quickstart, client included, into DuckDB.
// TESTENGINE_BENCH_SECONDS is how long it is loaded (60). TESTENGINE_BENCH_RATE
// is how many executions become due a second, whatever is answered; without it
// uploads are sent as fast as they are taken, and wait in the log.
func BenchmarkQuickstart(b *testing.B) {
	seconds, rate := fromEnv("TESTENGINE_BENCH_SECONDS", 60), fromEnv("TESTENGINE_BENCH_RATE", 0)
	for b.Loop() {
		file, tokens := eightSuites(b)
		generator(b) // Its building is not measured.
		process := harness.Start(b, harness.Options{Env: []string{"TESTENGINE_SUITES=" + file}})
		process.WaitReady(time.Minute)
		before, _ := processCPU(b, process.Pid())
		begin := time.Now()
		l := load(b, process, "-token", tokens, "-body", "mb1", "-duration", strconv.Itoa(seconds)+"s", "-rate", strconv.Itoa(rate))
		sent, inTime, loaded := float64(l.accepted*1700), stored(b, process), time.Now()
		for stored(b, process) < sent {
			time.Sleep(100 * time.Millisecond)
			require.Less(b, time.Since(begin), 10*time.Minute)
		}
		took := time.Since(begin).Seconds()
		after, memory := processCPU(b, process.Pid())
		b.ReportMetric(sent/took, "executions/s")
		b.ReportMetric(l.perSecond, "accepted/s")
		b.ReportMetric(inTime/loaded.Sub(begin).Seconds(), "storedWhileLoaded/s")
		b.ReportMetric((sent-inTime)/1e6, "backlogMillions")
		b.ReportMetric(time.Since(loaded).Seconds(), "drain_s")
		b.ReportMetric(l.p99, "p99ms")
		b.ReportMetric((after-before)/sent*1e6, "µsServerCPU/execution")
		b.ReportMetric(memory, "peakMB")
		b.ReportMetric(folderMB(b, process.Data)/sent*1e6, "MB/millionExecutions")
		process.Kill()
	}
}

// fromEnv is a number from the environment.
func fromEnv(name string, without int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return without
}

func folderMB(b *testing.B, dir string) float64 {
	b.Helper()
	var sum int64
	require.NoError(b, filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			sum += info.Size()
		}
		return nil
	}))
	return float64(sum) / 1e6
}

// BenchmarkRestart is kill -9 with a million known tests: how long until an
// upload is accepted again, and until its executions are in the store.
func BenchmarkRestart(b *testing.B) {
	for b.Loop() {
		first := harness.Start(b, harness.Options{})
		first.WaitReady(time.Minute)
		const uploads, each = 200, 5000
		for i := range uploads {
			status, answer := first.Upload(b.Context(), manyTests(i, each))
			require.Equal(b, 202, status, answer)
		}
		first.Eventually(3*time.Minute, "a million tests are known", func() bool { return stored(b, first) >= uploads*each })
		first.Kill()

		begin := time.Now()
		second := harness.Start(b, harness.Options{Data: first.Data})
		second.Eventually(time.Minute, "an upload is accepted", func() bool {
			status, _ := second.Upload(b.Context(), manyTests(uploads, 1))
			return status == 202
		})
		accepting := time.Since(begin)
		second.Eventually(time.Minute, "it went through detection into the store", func() bool {
			return stored(b, second) > uploads*each
		})
		b.ReportMetric(accepting.Seconds(), "accepting_s")
		b.ReportMetric(time.Since(begin).Seconds(), "detecting_s")
		second.Kill()
	}
}

// manyTests is an upload of tests that no other upload has.
func manyTests(number, count int) []byte {
	var body bytes.Buffer
	fmt.Fprintf(&body, `{"format":"json","run_env":{"CI":"generic","key":"run-%d","branch":"main","commit_sha":"5e1f0c"},"data":[`, number)
	for i := range count {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"scope":"Pipeline::Controller%d","name":"case %d","result":"passed","history":{"duration":0.01}}`, number, i)
	}
	body.WriteString("]}")
	return body.Bytes()
}
