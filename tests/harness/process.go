// Package harness starts the real binary for tests, feeds it and pulls its plug.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Token is what the processes under test take for the suite local/quickstart.
const Token = "te_for_tests_only_0123456789abcdef"

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

var build sync.Once

// Binary returns the path of the binary; it is built once per test process,
// so that no test runs yesterday's.
func Binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(Root(), "bin", "connect-testengine")
	build.Do(func() {
		command := exec.CommandContext(t.Context(), "make", "-s", "build")
		command.Dir = Root()
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return path
}

// Process is one running binary.
type Process struct {
	URL     string
	Data    string
	command *exec.Cmd
	output  *lockedBuffer
	done    chan struct{}
	t       testing.TB
}

// Options say how a process is started.
type Options struct {
	// Pipeline is a path below the repository; empty is pipelines/quickstart.yaml.
	Pipeline string
	// Data is the data folder; empty makes a new one.
	Data string
	// Address is host:port; empty takes a free port.
	Address string
	Env     []string
	// Set holds fields as --set takes them.
	Set []string
	// Prefix is put in front of the command, to limit or trace it.
	Prefix []string
}

// FreeAddress returns a loopback address nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

// Start starts the binary and returns at once.
func Start(t testing.TB, options Options) *Process {
	t.Helper()
	if options.Pipeline == "" {
		options.Pipeline = "pipelines/quickstart.yaml"
	}
	if options.Data == "" {
		options.Data = t.TempDir()
	}
	if options.Address == "" {
		options.Address = FreeAddress(t)
	}
	args := append([]string{}, options.Prefix...)
	args = append(args, Binary(t), "run", "--set", "http.enabled=false", "--set", "logger.level=WARN")
	for _, field := range options.Set {
		args = append(args, "--set", field)
	}
	args = append(args, options.Pipeline)
	command := exec.Command(args[0], args[1:]...)
	command.Dir = Root()
	command.Env = append(os.Environ(),
		"TESTENGINE_DATA="+options.Data, "TESTENGINE_ADDRESS="+options.Address, "TESTENGINE_TOKEN="+Token)
	command.Env = append(command.Env, options.Env...)
	p := &Process{
		URL: "http://" + options.Address, Data: options.Data, command: command,
		output: &lockedBuffer{}, done: make(chan struct{}), t: t,
	}
	command.Stdout, command.Stderr = p.output, p.output
	require.NoError(t, command.Start())
	go func() {
		_ = command.Wait()
		close(p.done)
	}()
	t.Cleanup(p.Kill)
	return p
}

// WaitReady waits until GET /ready answers 200.
func (p *Process) WaitReady(within time.Duration) {
	p.t.Helper()
	p.Eventually(within, "it is ready", func() bool {
		response, err := http.Get(p.URL + "/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// Eventually polls until the condition holds, and fails with the process's
// output when it ends or the time is up.
func (p *Process) Eventually(within time.Duration, what string, holds func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		select {
		case <-p.done:
			require.FailNow(p.t, "the process ended before "+what, "%s", p.Output())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			require.FailNow(p.t, "not within "+within.String()+": "+what, "%s", p.Output())
		}
	}
}

// Kill is kill -9. It returns when the process is gone.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

// Stop is Ctrl-C: it waits for the end and returns the exit code.
func (p *Process) Stop(within time.Duration) int {
	p.t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	return p.Wait(within)
}

// Wait waits for the end and returns the exit code.
func (p *Process) Wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		require.FailNow(p.t, "the process did not end within "+within.String(), "%s", p.Output())
	}
	return p.command.ProcessState.ExitCode()
}

// Gone is closed when the process has ended.
func (p *Process) Gone() <-chan struct{} { return p.done }

// Pid is the process's id.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Output is what the process printed so far.
func (p *Process) Output() string { return p.output.String() }

// Upload posts a JSON body as the suite's collector; status 0 means that no answer came.
func (p *Process) Upload(ctx context.Context, body []byte) (status int, answer string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/v1/uploads", bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", fmt.Sprintf("Token token=%q", Token))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(raw)
}

// Get returns the status and the body of a page or a JSON answer.
func (p *Process) Get(path string) (status int, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.URL+path, nil)
	require.NoError(p.t, err)
	request.Header.Set("Authorization", "Bearer "+Token)
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(raw)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
