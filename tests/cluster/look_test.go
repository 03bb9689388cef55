package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// lookedAt is `make cluster`, with the lines that it prints.
type lookedAt struct {
	t       *testing.T
	command *exec.Cmd
	door    int
	lines   chan string
	said    []string
}

// freePorts returns the first of so many ports in a row that nobody listens on.
func freePorts(t *testing.T, count int) (first int) {
	t.Helper()
	for first = 23_000 + os.Getpid()%4000; first < 32_000; first += count {
		free := 0
		for ; free < count; free++ {
			listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+free))
			if err != nil {
				break
			}
			require.NoError(t, listener.Close())
		}
		if free == count {
			return first
		}
	}
	require.FailNow(t, "no free ports in a row")
	return 0
}

func look(t *testing.T, data string) *lookedAt {
	t.Helper()
	harness.Binary(t)
	t.Setenv("TESTENGINE_TOKEN", harness.Token)
	l := &lookedAt{t: t, door: freePorts(t, 8), lines: make(chan string, 1000)}
	l.command = exec.Command(filepath.Join(harness.Root(), "tests", "services", "cluster.sh"))
	l.command.Env = append(os.Environ(), "TESTENGINE_CLUSTER="+data, "TESTENGINE_PARTITIONS=4",
		"TESTENGINE_DOOR_PORT="+strconv.Itoa(l.door), "TESTENGINE_FIRST_PORT="+strconv.Itoa(l.door+3))
	// As a terminal does it: Ctrl-C goes to the script and to all that it started.
	l.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := l.command.StdoutPipe()
	require.NoError(t, err)
	l.command.Stderr = l.command.Stdout
	require.NoError(t, l.command.Start())
	go func() {
		defer close(l.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			l.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() { _ = syscall.Kill(-l.command.Process.Pid, syscall.SIGTERM) })
	l.until("Ctrl-C ends all")
	return l
}

// until waits for a line that has the text in it.
func (l *lookedAt) until(text string) string {
	l.t.Helper()
	for late := time.After(ending); ; {
		select {
		case line, open := <-l.lines:
			require.True(l.t, open, "the cluster has ended: %s", strings.Join(l.said, "\n"))
			if l.said = append(l.said, line); strings.Contains(line, text) {
				return line
			}
		case <-late:
			require.FailNow(l.t, "the cluster does not say "+text, "%s", strings.Join(l.said, "\n"))
		}
	}
}

// pid is the process id that was printed for a name.
func (l *lookedAt) pid(name string) int {
	l.t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `: process (\d+),`).FindStringSubmatch(strings.Join(l.said, "\n"))
	require.NotNil(l.t, found, "%s", strings.Join(l.said, "\n"))
	pid, err := strconv.Atoi(found[1])
	require.NoError(l.t, err)
	return pid
}

// upload sends a run of ten tests through the door.
func (l *lookedAt) upload(number int) {
	l.t.Helper()
	var data []string
	for i := range 10 {
		data = append(data, fmt.Sprintf(`{"scope":"Cart","name":"adds item %d","result":"passed"}`, i))
	}
	body := fmt.Sprintf(`{"format":"json","run_env":{"key":"b%d","branch":"main"},"data":[%s]}`, number, strings.Join(data, ","))
	door := harness.Process{URL: "http://127.0.0.1:" + strconv.Itoa(l.door)}
	var status int
	var answer string
	require.Eventually(l.t, func() bool {
		status, answer = door.Upload(l.t.Context(), []byte(body))
		return status != 0
	}, ending, 100*time.Millisecond)
	require.Equal(l.t, http.StatusAccepted, status, answer)
}

// shows waits until the store behind a page has so many executions.
func (l *lookedAt) shows(page, executions int) {
	l.t.Helper()
	want, got := fmt.Sprintf(`"rows":[{"executions":%d}]`, executions), ""
	url := fmt.Sprintf("http://127.0.0.1:%d/v2/analytics/organizations/local/suites/quickstart/slices?measure=executions&period=1day", page)
	require.Eventually(l.t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		raw, _ := io.ReadAll(response.Body)
		got = string(raw)
		return response.Body.Close() == nil && strings.Contains(got, want)
	}, ending, 100*time.Millisecond, "%s", &got)
}

// interrupt is Ctrl-C; it waits for the end.
func (l *lookedAt) interrupt() {
	l.t.Helper()
	require.NoError(l.t, syscall.Kill(-l.command.Process.Pid, syscall.SIGINT))
	for line := range l.lines {
		l.said = append(l.said, line)
	}
	var exit *exec.ExitError
	require.ErrorAs(l.t, l.command.Wait(), &exit)
	require.Equal(l.t, 130, exit.ExitCode(), "%s", strings.Join(l.said, "\n"))
	require.NotContains(l.t, l.said[len(l.said)-1], "has ended with", "what Ctrl-C ends is no news")
}

// TestTheClusterToLookAtDoesWhatItSays kills processes of `make cluster`, starts them
// again by the commands that it prints, and presses Ctrl-C.
func TestTheClusterToLookAtDoesWhatItSays(t *testing.T) {
	l := look(t, t.TempDir())
	l.upload(1)
	l.shows(l.door+1, 10)
	for n, name := range []string{"store_executions_locally", "detect_flaky-1", "ingest_uploads"} {
		require.NoError(t, syscall.Kill(l.pid(name), syscall.SIGKILL))
		l.until(name + " has ended with status 137")
		again := exec.Command("bash", "-c", "exec "+strings.TrimSpace(l.until(" env TESTENGINE_BROKERS=")))
		again.Dir = harness.Root()
		require.NoError(t, again.Start())
		t.Cleanup(func() {
			_ = again.Process.Kill()
			_ = again.Wait()
		})
		l.upload(2 + n)
	}
	l.shows(l.door+1, 40)
	l.shows(l.door+2, 40)
	l.interrupt()
}
