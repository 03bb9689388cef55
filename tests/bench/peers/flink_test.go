package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// flinkOpens is what Flink needs of Java 17.
var flinkOpens = strings.Fields(`--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED
	--add-opens=java.base/java.net=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED
	--add-opens=java.base/java.lang.reflect=ALL-UNNAMED --add-opens=java.base/java.text=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED
	--add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
	--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED --add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED`)

// variant is a way to write and to run the job.
type variant struct{ key, parser, state string }

func (v variant) String() string { return v.key + ":" + v.parser + ":" + v.state }

// flink is a job with its two processes: a JobManager, and a TaskManager that does the work.
type flink struct {
	b       testing.TB
	kafka   *harness.Kafka
	variant variant
	in, out string
	jars    string
	dir     string
	// Heartbeats are Flink's interval and timeout; the defaults are "10 s" and "50 s".
	heartbeat, silence string
	job, task          *exec.Cmd
	lives              int
}

// installFlink builds the job and copies its jars from Maven Central, once.
func installFlink(b testing.TB) (jars string) {
	b.Helper()
	tools := os.Getenv("TESTENGINE_TOOLS")
	if tools == "" {
		home, err := os.UserHomeDir()
		require.NoError(b, err)
		tools = filepath.Join(home, ".cache", "connect-testengine")
	}
	jars = filepath.Join(tools, "flink-2.3.0")
	built := b.TempDir()
	maven := exec.CommandContext(b.Context(), "mvn", "-q", "-B", "-f", "flink/pom.xml", "-Dbuild.dir="+built,
		"package", "dependency:copy-dependencies", "-DoutputDirectory="+jars, "-DincludeScope=runtime")
	out, err := maven.CombinedOutput()
	require.NoError(b, err, "%s", out)
	job, err := os.ReadFile(filepath.Join(built, "flaky-flink.jar"))
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(filepath.Join(jars, "flaky-flink.jar"), job, 0o600))
	return jars
}

// startFlink starts both processes. The TaskManager has 4 GiB either way: state
// in RocksDB gets them as managed memory, state on the heap as heap.
func startFlink(b testing.TB, jars string, kafka *harness.Kafka, v variant, in, out string) *flink {
	b.Helper()
	f := &flink{b: b, kafka: kafka, variant: v, in: in, out: out, jars: jars, dir: b.TempDir(), heartbeat: "10 s", silence: "50 s"}
	f.configure()
	f.job = f.java("jobmanager.log", "512m", nil, "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint",
		"--configDir", f.dir, "--job-classname", "peers.FlakyJob", "--key", v.key, "--parser", v.parser,
		"--brokers", kafka.Addresses, "--in", in, "--out", out)
	f.startTask()
	b.Cleanup(f.stop)
	return f
}

func (f *flink) configure() {
	raw, err := os.ReadFile("flink/config.yaml")
	require.NoError(f.b, err)
	task, managed := "2726m", "64m"
	if f.variant.state == "rocksdb" {
		task, managed = "1450m", "1340m"
	}
	port := func() string {
		_, port, _ := strings.Cut(harness.FreeAddress(f.b), ":")
		return port
	}
	filled := strings.NewReplacer("@STATE@", f.variant.state, "@TASKHEAP@", task, "@MANAGED@", managed, "@DIR@", f.dir, "@ROCKSOPT@", "DEFAULT",
		"@HBI@", f.heartbeat, "@HBT@", f.silence, "16123", port(), "18081", port()).Replace(string(raw))
	require.NoError(f.b, os.MkdirAll(filepath.Join(f.dir, "tmp"), 0o700))
	require.NoError(f.b, os.WriteFile(filepath.Join(f.dir, "config.yaml"), []byte(filled), 0o600))
}

func (f *flink) java(log, heap string, options []string, class string, args ...string) *exec.Cmd {
	all := append([]string{"-Xms" + heap, "-Xmx" + heap}, options...)
	all = append(all, flinkOpens...)
	all = append(all, "-Dlog4j2.configurationFile=flink/log4j2.properties", "-cp", f.jars+"/*", class)
	command := exec.Command("java", append(all, args...)...)
	output, err := os.OpenFile(filepath.Join(f.dir, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(f.b, err)
	command.Stdout, command.Stderr = output, output
	require.NoError(f.b, command.Start())
	require.NoError(f.b, output.Close())
	return command
}

// startTask starts a TaskManager, the first or the one after a kill.
func (f *flink) startTask() {
	heap := "2854m"
	if f.variant.state == "rocksdb" {
		heap = "1578m"
	}
	f.lives++
	f.task = f.java("taskmanager.log", heap, []string{
		"-XX:MaxDirectMemorySize=384m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseG1GC", "-Dreport=" + f.reportPath(),
	}, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", f.dir)
}

func (f *flink) reportPath() string { return filepath.Join(f.dir, "report"+strconv.Itoa(f.lives)) }

func (f *flink) killTask() {
	_ = f.task.Process.Kill()
	_ = f.task.Wait()
}

func (f *flink) stop() {
	f.killTask()
	_ = f.job.Process.Kill()
	_ = f.job.Wait()
}

// line is what a TaskManager says of itself four times a second (Report.java).
type line struct {
	at, executions, verdicts, lag, cpu, memory, peak float64
	broker, idle                                     float64 // CPU of the broker and of nobody, measured for ours only
}

func (f *flink) report() []line {
	raw, err := os.ReadFile(f.reportPath())
	if err != nil {
		return nil
	}
	var lines []line
	for text := range strings.Lines(string(raw)) {
		var l line
		if n, _ := fmt.Sscan(text, &l.at, &l.executions, &l.verdicts, &l.lag, &l.cpu, &l.memory, &l.peak); n == 7 && strings.HasSuffix(text, "\n") {
			lines = append(lines, l)
		}
	}
	return lines
}

// until waits for the executions and returns the figures of the steady part.
func (f *flink) until(ctx context.Context, executions int64) figures {
	f.b.Helper()
	for {
		lines := f.report()
		if len(lines) > 0 && lines[len(lines)-1].executions >= float64(executions) {
			return figuresOf(lines, float64(executions))
		}
		select {
		case <-ctx.Done():
			require.FailNow(f.b, "Flink did not come to the end", "%v of %d executions\n%s", lines, executions, f.tail())
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (f *flink) tail() string {
	var all strings.Builder
	for _, log := range []string{"jobmanager.log", "taskmanager.log"} {
		raw, _ := os.ReadFile(filepath.Join(f.dir, log))
		all.WriteString(log + ":\n" + string(raw[max(0, len(raw)-2000):]) + "\n")
	}
	return all.String()
}
