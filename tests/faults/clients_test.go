package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

const testdata = "../testdata"

// request is what one client sends: as recorded, or a form with a file. Its run's
// key is written anew for each upload.
type request struct {
	name, path string
	headers    map[string]string
	encoding   unpack.Encoding
	plain      []byte
	key        string
	executions int
}

// requests are one of every client and of every format.
func requests(t *testing.T) (all []request) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "recorded-clients", "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		if r, ok := recorded(t, file); ok {
			all = append(all, r)
		}
	}
	read := func(path string) []byte {
		raw, err := os.ReadFile(filepath.Join(testdata, path))
		require.NoError(t, err)
		return raw
	}
	all = append(all,
		form(t, "go-jsonl", read("gotest-streams/flakeguard-example_flaky.log.json")),
		form(t, "junit", read("junit-edge/kettle-standard.xml")),
		form(t, "cucumber-json", []byte(`[{"uri":"features/a.feature","name":"Invoices","elements":[{"name":"adds VAT","type":"scenario","line":3,
			"steps":[{"name":"an invoice","result":{"status":"passed","duration":1000000}}]}]}]`)),
	)
	for i := range all {
		facts := assemble.Facts{UploadID: "up_1", Org: "local", Suite: "quickstart"}
		result := formats.Decode(facts, all[i].contentType(), all[i].plain, assemble.DefaultLimits())
		require.False(t, result.Refused, all[i].name)
		all[i].executions = result.Report.Accepted
	}
	return all
}

// recorded is a request of a real client; ok is false when it is no upload, or
// when its body names no run, so that a second one would be the same upload.
func recorded(t *testing.T, file string) (r request, ok bool) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var told struct {
		Path    string
		Headers [][2]string
	}
	require.NoError(t, json.Unmarshal(raw, &told))
	if told.Path != "/v1/uploads" && told.Path != "/v1/traces" {
		return r, false
	}
	r = request{name: filepath.Base(file), path: told.Path, headers: map[string]string{}}
	for _, header := range told.Headers {
		switch name := http.CanonicalHeaderKey(header[0]); name {
		case "Content-Type", "Content-Encoding", "User-Agent", "Buildkite-Tests-Run-Key":
			r.headers[name] = header[1]
		}
	}
	body, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".body")
	require.NoError(t, err)
	r.encoding, ok = unpack.Named(r.headers["Content-Encoding"])
	require.True(t, ok)
	r.plain, err = unpack.Append(r.encoding, nil, body, 1<<24)
	require.NoError(t, err)
	seen, err := formats.Look(r.contentType(), r.plain, 128)
	require.NoError(t, err)
	r.key = seen.RunKey
	return r, r.key != "" && bytes.Contains(r.plain, []byte(r.key))
}

func form(t *testing.T, format string, file []byte) request {
	t.Helper()
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	for _, field := range [][2]string{{"format", format}, {"run_env[CI]", "generic"}, {"run_env[key]", "run-of-a-form"}, {"run_env[branch]", "main"}} {
		require.NoError(t, writer.WriteField(field[0], field[1]))
	}
	part, err := writer.CreateFormFile("data", "file")
	require.NoError(t, err)
	_, err = part.Write(file)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return request{
		name: format, path: "/v1/uploads", headers: map[string]string{"Content-Type": writer.FormDataContentType()},
		plain: body.Bytes(), key: "run-of-a-form",
	}
}

// contentType is that under which the log keeps the body.
func (r *request) contentType() string {
	if r.path == "/v1/traces" {
		return formats.TracesType(r.headers["Content-Type"], r.headers["Buildkite-Tests-Run-Key"])
	}
	return r.headers["Content-Type"]
}

// sent is one upload of a client.
type sent struct {
	*request

	id   string
	body []byte
}

// again is the request as another upload: in another run.
func (r *request) again(t *testing.T, number int64) sent {
	t.Helper()
	key := strconv.FormatInt(number, 36)
	require.LessOrEqual(t, len(key), len(r.key))
	plain := bytes.ReplaceAll(r.plain, []byte(r.key), []byte(strings.Repeat("0", len(r.key)-len(key))+key))
	body, err := packed(r.encoding, plain)
	require.NoError(t, err)
	return sent{request: r, id: message.UploadID("local", "quickstart", body), body: body}
}

// crowd is all clients at work: it remembers what each was told.
type crowd struct {
	t        *testing.T
	requests []request
	number   atomic.Int64
	full     atomic.Int64 // Uploads that were answered 503.

	mu sync.Mutex
	// executions are those of uploads that were sent; accepted are the ones that were answered 200 or 202.
	executions map[string]int
	accepted   map[string]bool
	unanswered []sent
}

// work sends uploads of all clients in turn until done or the process is gone;
// those before that got no answer, or 503, go first.
func (c *crowd) work(process *harness.Process, done <-chan struct{}) {
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				select {
				case <-process.Gone():
					return
				case <-done:
					return
				default:
					c.send(process, c.next())
				}
			}
		})
	}
	workers.Wait()
}

func (c *crowd) next() sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.unanswered) - 1; last >= 0 && c.number.Load()%2 == 0 {
		again := c.unanswered[last]
		c.unanswered = c.unanswered[:last]
		c.number.Add(1)
		return again
	}
	number := c.number.Add(1)
	upload := c.requests[number%int64(len(c.requests))].again(c.t, number)
	c.executions[upload.id] = upload.executions
	return upload
}

// send posts an upload and checks what it was told: that it is safe, or 503 with
// when to come again, or nothing because the process died.
func (c *crowd) send(process *harness.Process, upload sent) {
	status, header, answer := post(c.t, process, upload)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == http.StatusAccepted && upload.path == "/v1/uploads", status == http.StatusOK && upload.path == "/v1/traces":
		c.accepted[upload.id] = true
		return
	case status == http.StatusServiceUnavailable:
		c.full.Add(1)
		if header.Get("Retry-After") == "" || !strings.Contains(answer, "send it again") && !strings.Contains(answer, "send the upload again") {
			c.t.Errorf("%s: a 503 that does not say what to do: %s", upload.name, answer)
		}
	case status != 0:
		c.t.Errorf("%s: %d %s", upload.name, status, answer)
	}
	c.unanswered = append(c.unanswered, upload)
}

func post(t *testing.T, process *harness.Process, upload sent) (status int, header http.Header, answer string) {
	ask, err := http.NewRequestWithContext(context.Background(), http.MethodPost, process.URL+upload.path, bytes.NewReader(upload.body))
	if err != nil {
		t.Error(err)
		return 0, nil, ""
	}
	for name, value := range upload.headers {
		ask.Header.Set(name, value)
	}
	ask.Header.Set("Authorization", "Token token="+harness.Token)
	response, err := http.DefaultClient.Do(ask)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return response.StatusCode, response.Header, string(raw)
}

// Whatever a client sends, and whenever the plug is pulled or the disk is full:
// what was answered 202 is in the store once, and everything else was told so.
func TestEveryClientOverKillsAndAFullDisk(t *testing.T) {
	c := &crowd{t: t, requests: requests(t), executions: map[string]int{}, accepted: map[string]bool{}}
	require.Greater(t, len(c.requests), 40, "clients and formats")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 3))
	data := t.TempDir()
	hold := filepath.Join(data, "hold")
	each := func(takes string) { require.NoError(t, os.WriteFile(hold, []byte(takes), 0o600)) }
	options := harness.Options{
		Pipeline: "tests/faults/clients.yaml", Data: data, Env: []string{"TESTENGINE_HOLD=" + hold},
	}

	each("0s")
	for range 4 {
		process := harness.Start(t, options)
		process.WaitReady(time.Minute)
		time.AfterFunc(time.Duration(300+dice.IntN(1500))*time.Millisecond, process.Kill)
		c.work(process, nil)
	}
	require.NotEmpty(t, c.accepted)
	require.Zero(t, c.full.Load(), "nothing is refused while there is room")

	each("300ms")
	full := options
	// The log is full, and still is when the process comes back; then the disk is.
	for _, limit := range []string{"max_bytes=8MB", "max_bytes=8MB", "min_free_bytes=1EB"} {
		full.Set = []string{"buffer.upload_log." + limit}
		process := harness.Start(t, full)
		process.WaitReady(time.Minute)
		before, done := c.full.Load(), make(chan struct{})
		go func() { defer close(done); waitFor(process, func() bool { return c.full.Load() >= before+200 }) }()
		c.work(process, done)
		require.GreaterOrEqual(t, c.full.Load(), before+200, "uploads are refused with %s", limit)
		require.Contains(t, process.Output(), "the upload log is full")
		process.Kill()
	}

	each("0s")
	process := harness.Start(t, options)
	process.WaitReady(time.Minute)
	c.requireAllIsTaken(process)
	t.Logf("%d clients and formats, 7 kills, %d uploads, %d times 503", len(c.requests), len(c.accepted), c.full.Load())
}

// taken is how many uploads were accepted.
func (c *crowd) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.accepted)
}

// requireAllIsTaken sends what was not taken once more, ends the process when its
// log is drained, and checks the store.
func (c *crowd) requireAllIsTaken(process *harness.Process) {
	c.t.Helper()
	process.Eventually(time.Minute, "all that was refused is taken", func() bool {
		c.mu.Lock()
		left := c.unanswered
		c.unanswered = nil
		c.mu.Unlock()
		for _, upload := range left {
			c.send(process, upload)
		}
		return len(left) == 0
	})
	process.Eventually(2*time.Minute, "the log is drained", func() bool { return drained(c.t, process) })
	require.Zero(c.t, process.Stop(time.Minute), process.Output())
	c.requireStored(readStore(c.t, process.Data))
}

// waitFor returns when it holds, or the process is gone, or after a while.
func waitFor(process *harness.Process, holds func() bool) {
	for range 3000 {
		select {
		case <-process.Gone():
			return
		case <-time.After(10 * time.Millisecond):
			if holds() {
				return
			}
		}
	}
}

// requireStored checks that every upload that was taken is in the store, whole
// and once: all were in the end.
func (c *crowd) requireStored(has store) {
	c.t.Helper()
	require.Len(c.t, c.accepted, len(c.executions))
	for id, executions := range c.executions {
		require.Equal(c.t, executions, has.executions[id], "executions of upload %s", id)
	}
	for id := range has.executions {
		require.Contains(c.t, c.executions, id)
	}
}

// packed is the opposite of unpack.
func packed(encoding unpack.Encoding, plain []byte) ([]byte, error) {
	if encoding == unpack.None {
		return plain, nil
	}
	if encoding != unpack.Gzip {
		return nil, fmt.Errorf("packing with %s is not known here", encoding)
	}
	var body bytes.Buffer
	writer := gzip.NewWriter(&body)
	_, err := writer.Write(plain)
	if err == nil {
		err = writer.Close()
	}
	return body.Bytes(), err
}
