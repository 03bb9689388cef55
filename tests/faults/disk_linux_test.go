package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// ownMounts says that the test process has its mounts for itself.
const ownMounts = "TESTENGINE_OWN_MOUNTS"

// inOwnMounts runs the test again in a process whose mounts go with it, and
// reports whether this is that process. A machine that allows none fails the test.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMounts) != "" {
		return true
	}
	harness.Binary(t)
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=5m")
	again.Env = append(os.Environ(), ownMounts+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	out, err := again.CombinedOutput()
	require.NoError(t, err, "a process with mounts of its own (as root, or where users may have namespaces):\n%s", out)
	t.Logf("%s", out)
	return false
}

// smallDisk mounts a disk of that size for as long as the process lives.
func smallDisk(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), "keeping mounts to this process")
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes), "mounting a small disk")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill writes a file until the disk is full, but for that many bytes.
func fill(t *testing.T, name string, leave int64) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	for {
		left := free(t, filepath.Dir(name)) - leave
		if left <= 0 {
			return
		}
		if _, err = file.Write(make([]byte, min(left, 1<<20))); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			return
		}
	}
}

func free(t *testing.T, dir string) int64 {
	t.Helper()
	var disk syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &disk))
	return int64(disk.Bavail) * disk.Bsize
}

// The disk itself is full, not a limit reached: log, state and store cannot write
// any more. Whatever a client sends then is refused or safe, also when the plug is
// pulled and the process comes back to a full disk, and all goes on when there is
// room again, without a restart.
func TestEveryClientOverADiskThatIsFull(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	data := smallDisk(t, "320m") // All that is sent must have room in the end.
	hold, filler := filepath.Join(t.TempDir(), "hold"), filepath.Join(data, "filler")
	require.NoError(t, os.WriteFile(hold, []byte("0s"), 0o600))
	options := harness.Options{
		Pipeline: "tests/faults/clients.yaml", Data: data, Env: []string{"TESTENGINE_HOLD=" + hold},
		Set: []string{"buffer.upload_log.min_free_bytes=0", "buffer.upload_log.min_free_percent=0"},
	}
	c := &crowd{t: t, requests: requests(t), executions: map[string]int{}, accepted: map[string]bool{}}
	work := func(process *harness.Process, what string, counted func() int64, more int64) {
		before, done := counted(), make(chan struct{})
		go func() { defer close(done); waitFor(process, func() bool { return counted() >= before+more }) }()
		c.work(process, done)
		require.GreaterOrEqual(t, counted(), before+more, "%s\n%s", what, process.Output())
	}
	taken := func() int64 { return int64(c.taken()) }

	process := harness.Start(t, options)
	process.WaitReady(time.Minute)
	work(process, "uploads are taken", taken, 200)
	require.Zero(t, c.full.Load(), "nothing is refused while there is room")
	for _, killed := range []bool{false, true} {
		fill(t, filler, 0)
		work(process, "uploads are refused", c.full.Load, 200)
		fill(t, filler, 0) // What the log has trimmed is taken too.
		work(process, "uploads are still refused", c.full.Load, 200)
		require.Contains(t, strings.ToLower(process.Output()), "no space left on device")
		if killed {
			process.Kill()
			process = harness.Start(t, options)
			fill(t, filler, 0)
			work(process, "uploads are refused after a restart", c.full.Load, 200)
		}
		require.NoError(t, os.Remove(filler))
		work(process, "uploads are taken again", taken, 200)
	}
	c.requireAllIsTaken(process)
	t.Logf("%d clients and formats, %d uploads, %d times 503", len(c.requests), len(c.accepted), c.full.Load())
}
