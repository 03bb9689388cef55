package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// BenchmarkChunks is HTTP to record-aligned chunks, beside stock Connect that
// divides the same bodies into their records in the same run.
func BenchmarkChunks(b *testing.B) {
	for _, test := range []struct {
		name, pipeline string
		kind           bodies.Kind
	}{
		{"21 MB", "tests/bench/cut_webhooks.yaml", bodies.Big},
		{"1 MB", "tests/bench/cut_webhooks.yaml", bodies.MB1},
		{"21 MB, stock", "tests/bench/stock_unarchive.yaml", bodies.Big},
		{"1 MB, stock", "tests/bench/stock_unarchive.yaml", bodies.MB1},
	} {
		b.Run(test.name, func(b *testing.B) {
			size := float64(len(bodies.Generate(1, test.kind)))
			for b.Loop() {
				process := harness.Start(b, harness.Options{Pipeline: test.pipeline})
				listening(b, process)
				before, idle := processCPU(b, process.Pid())
				l := load(b, process, "-body", string(test.kind), "-token", "none", "-duration", "8s")
				after, peak := processCPU(b, process.Pid())
				bytes := l.perSecond / float64(test.kind.Executions()) * size
				b.ReportMetric(bytes/1e6, "MB/s")
				b.ReportMetric(l.perSecond, "executions/s")
				b.ReportMetric((after-before)/(bytes*8/1e6)*1e3, "msServerCPU/MB")
				b.ReportMetric((peak-idle)/(8*size/1e6), "peakRSS/bytesInFlight")
				process.Kill()
			}
		})
	}
}

// listening waits until the address accepts connections.
func listening(b *testing.B, process *harness.Process) {
	b.Helper()
	process.Eventually(time.Minute, "it listens", func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(process.URL, "http://"))
		if err != nil {
			return false
		}
		_ = connection.Close()
		return true
	})
}

// BenchmarkNoisyTenant is the answer times of one organisation's uploads, alone
// and while another sends as much as 64 connections can: as the client sees them,
// with its own waiting for a processor, and as the server does. Two more show what
// is the machine's doing: the noise at a bare server beside the door, and both at
// a bare server.
func BenchmarkNoisyTenant(b *testing.B) {
	b.Run("door", func(b *testing.B) {
		for b.Loop() {
			process, quiet, noisy := doorForTwo(b)
			address := strings.TrimPrefix(process.URL, "http://")
			besideNoise(b, address, address, quiet, noisy)
			process.Kill()
		}
	})
	b.Run("door, noise elsewhere", func(b *testing.B) {
		for b.Loop() {
			process, quiet, _ := doorForTwo(b)
			elsewhere, stop := bareServer(b)
			besideNoise(b, strings.TrimPrefix(process.URL, "http://"), elsewhere, quiet, "none")
			stop()
			process.Kill()
		}
	})
	b.Run("bare server", func(b *testing.B) {
		for b.Loop() {
			address, stop := bareServer(b)
			besideNoise(b, address, address, "none", "none")
			stop()
		}
	})
}

// doorForTwo starts a door for two organisations and returns their tokens.
func doorForTwo(b *testing.B) (process *harness.Process, quiet, noisy string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "suites.yaml")
	token := func(suite string) string {
		out, err := exec.CommandContext(b.Context(), harness.Binary(b), "suite", "add", "--file", file, suite).CombinedOutput()
		require.NoError(b, err, "%s", out)
		return regexp.MustCompile(`te_\w+`).FindString(string(out))
	}
	quiet, noisy = token("quiet/api"), token("noisy/api")
	process = harness.Start(b, harness.Options{Pipeline: "tests/bench/hold_back.yaml", Env: []string{"TESTENGINE_SUITES=" + file}})
	process.WaitReady(time.Minute)
	return process, quiet, noisy
}

// bareServer starts a server that reads what it is sent and answers.
func bareServer(b *testing.B) (address string, stop func()) {
	b.Helper()
	address = harness.FreeAddress(b)
	server := exec.CommandContext(b.Context(), generator(b), "-serve", "-address", address)
	require.NoError(b, server.Start())
	for connection, err := net.Dial("tcp", address); ; connection, err = net.Dial("tcp", address) {
		if err == nil {
			_ = connection.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return address, func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
}

func besideNoise(b *testing.B, address, noisyAddress, quiet, noisy string) {
	b.Helper()
	some := []string{"-body", "small", "-connections", "4", "-rate", "20000", "-token", quiet, "-duration", "6s"}
	alone := startLoadAt(b, address, some...)()
	wait := startLoadAt(b, noisyAddress, "-body", "mb1", "-connections", "64", "-token", noisy, "-duration", "9s")
	time.Sleep(time.Second)
	beside := startLoadAt(b, address, some...)()
	other := wait()
	b.ReportMetric(alone.p99, "alone_p99ms")
	b.ReportMetric(beside.p99, "beside_p99ms")
	b.ReportMetric(beside.p99/alone.p99, "ratio")
	b.ReportMetric(beside.p50/alone.p50, "ratio_p50")
	b.ReportMetric(alone.served99, "alone_served_p99ms")
	b.ReportMetric(beside.served99, "beside_served_p99ms")
	b.ReportMetric(beside.served99/alone.served99, "ratio_served")
	b.ReportMetric(other.p99, "noisy_p99ms")
	b.ReportMetric(other.megabytes, "noisy_MB/s")
}

// BenchmarkOverload is goodput and answer times at the peak, then when three times
// as much is asked for, then at once with the usual again: of the door itself, and
// of a log behind its spool. Nothing may be refused (load ends with a failure when
// something is), so that three times the clients of the door wait three times as
// long; what is worked on must not be slower.
func BenchmarkOverload(b *testing.B) {
	for _, test := range []struct{ name, pipeline, asks, usual, thrice string }{
		{"of the door, 16 connections at its peak", "tests/bench/hold_back.yaml", "-connections", "16", "48"},
		{"of what is behind, 170 thousand executions a second at its peak", "tests/bench/slow_behind.yaml", "-rate", "170000", "510000"},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				process := harness.Start(b, harness.Options{Pipeline: test.pipeline})
				process.WaitReady(time.Minute)
				with := func(much, duration string) loaded {
					return load(b, process, "-body", "mb1", "-token", harness.Token, "-connections", "256", test.asks, much, "-duration", duration)
				}
				with(test.usual, "2s") // the limit finds its place
				peak, over, after := with(test.usual, "5s"), with(test.thrice, "5s"), with(test.usual, "5s")
				b.ReportMetric(peak.perSecond, "peak_executions/s")
				b.ReportMetric(over.perSecond/peak.perSecond, "goodput/peak")
				b.ReportMetric(peak.p99, "peak_p99ms")
				b.ReportMetric(over.p99/peak.p99, "p99/peak")
				b.ReportMetric(over.worked99/peak.worked99, "worked_p99/peak")
				b.ReportMetric(after.p99/peak.p99, "p99_after/peak")
				process.Kill()
			}
		})
	}
}

// BenchmarkIdleConnections is the memory of 10,000 keep-alive connections that
// have each sent a request and wait, above that of a process that has answered as
// many requests on a few: what requests leave to be collected is no cost of waiting.
func BenchmarkIdleConnections(b *testing.B) {
	const requests = 10_000
	for b.Loop() {
		few, all := answered(b, requests, 10), answered(b, requests, requests)
		b.ReportMetric(all-few, "MB")
		b.ReportMetric(all, "MB_with_requests")
	}
}

// answered is by how many MB a process has grown that has answered so many
// requests on so many connections, all of them open.
func answered(b *testing.B, requests, connections int) float64 {
	b.Helper()
	process := harness.Start(b, harness.Options{Pipeline: "tests/bench/idle_connections.yaml"})
	defer process.Kill()
	process.WaitReady(time.Minute)
	_, before := processCPU(b, process.Pid())
	open, readers := make([]net.Conn, connections), make([]*bufio.Reader, connections)
	for i := range requests {
		at := i % connections
		if open[at] == nil {
			connection, err := net.Dial("tcp", strings.TrimPrefix(process.URL, "http://"))
			require.NoError(b, err)
			defer func() { _ = connection.Close() }()
			open[at], readers[at] = connection, bufio.NewReaderSize(connection, 512)
		}
		_, err := fmt.Fprintf(open[at], "GET /live HTTP/1.1\r\nHost: door\r\n\r\n")
		require.NoError(b, err)
		answer, err := http.ReadResponse(readers[at], nil)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, answer.StatusCode)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(b, err)
	}
	_, after := processCPU(b, process.Pid())
	return after - before
}
