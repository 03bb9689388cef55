package simulate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func historyLine(minute int, suite string) string {
	return fmt.Sprintf(`{"received_at":"2026-05-04T12:%02d:00Z","suite":%q,"body":{"run_env":{"key":"k%d"},"data":[]}}`, minute, suite, minute)
}

func packed(t *testing.T, kind, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	switch kind {
	case "gz":
		w := gzip.NewWriter(&out)
		_, err := w.Write([]byte(text))
		require.NoError(t, errors.Join(err, w.Close()))
	case "zst":
		w, err := zstd.NewWriter(&out)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, errors.Join(err, w.Close()))
	default:
		out.WriteString(text)
	}
	return out.Bytes()
}

func newTestHistory(t *testing.T, yaml string) *historyInput {
	t.Helper()
	conf, err := historySpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	config, err := historyFromParsed(conf)
	require.NoError(t, err)
	h := newHistoryInput(config, service.MockResources())
	t.Cleanup(func() { require.NoError(t, h.Close(t.Context())) })
	return h
}

// seen is what one message of the history says.
type seen struct {
	kind           testengine.Kind
	offset, time   int64
	org, suite     string
	body, uploadID string
}

func seenOf(t *testing.T, messages service.MessageBatch) (all []seen) {
	t.Helper()
	for _, m := range messages {
		position, ok := message.Position(m)
		require.True(t, ok)
		require.Equal(t, "history", position.LogID)
		time, _ := message.Int(m, testengine.MetaLogTime)
		body, err := m.AsBytes()
		require.NoError(t, err)
		all = append(all, seen{
			message.Kind(m), position.Offset, time, message.Text(m, testengine.MetaOrg), message.Text(m, testengine.MetaSuite),
			string(body), message.Text(m, testengine.MetaUploadID),
		})
	}
	return all
}

func TestLinesComeOutAsRecordsOfALog(t *testing.T) {
	const noon = int64(1_777_896_000_000)
	text := historyLine(5, "api") + "\n" + historyLine(3, "web") + "\nbroken\n" +
		`{"org":"acme","received_at":"2026-05-04T12:06:00Z","suite":"api","body":{}}` + "\n"
	for _, kind := range []string{"plain", "gz", "zst"} {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "uploads")
			require.NoError(t, os.WriteFile(file, packed(t, kind, text), 0o600))
			got := seenOf(t, readHistory(t, newTestHistory(t, "paths: [ "+file+" ]")))

			body := func(n int) string { return fmt.Sprintf(`{"run_env":{"key":"k%d"},"data":[]}`, n) }
			minute := int64(60_000)
			require.Equal(t, []seen{
				{testengine.KindUpload, 0, noon + 5*minute, "local", "api", body(5), message.UploadID("local", "api", []byte(body(5)))},
				{testengine.KindUpload, 1, noon + 5*minute, "local", "web", body(3), message.UploadID("local", "web", []byte(body(3)))},
				{testengine.KindUpload, 3, noon + 6*minute, "acme", "api", "{}", message.UploadID("acme", "api", []byte("{}"))},
				{testengine.KindTick, 4, noon + 36*minute, "", "", "{}", ""},
			}, got)
		})
	}
}

func TestTheBatchSizeChangesNothing(t *testing.T) {
	folder := t.TempDir()
	for i := range 3 {
		var lines []string
		for minute := range 20 {
			lines = append(lines, historyLine(minute+20*i, "api"))
		}
		file := filepath.Join(folder, fmt.Sprintf("%d.ndjson", i))
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	}
	yaml := "paths: [ " + folder + "/*.ndjson ]\n"
	whole := seenOf(t, readHistory(t, newTestHistory(t, yaml)))
	require.Len(t, whole, 61)
	require.Equal(t, whole, seenOf(t, readHistory(t, newTestHistory(t, yaml+"batch_lines: 1"))))
	require.Equal(t, whole, seenOf(t, readHistory(t, newTestHistory(t, yaml+"batch_bytes: 100B"))))
}

func TestOneBatchIsUnderWayAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uploads")
	require.NoError(t, os.WriteFile(file, []byte(historyLine(1, "a")+"\n"+historyLine(2, "a")), 0o600))
	h := newTestHistory(t, "paths: [ "+file+" ]\nbatch_lines: 1")
	require.NoError(t, h.Connect(t.Context()))
	_, ack, err := h.ReadBatch(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.free)
	require.NoError(t, ack(t.Context(), errors.New("disk full")))
	_, _, err = h.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrEndOfInput, "what cannot be written ends the back-test")
}

func TestFilesThatCannotBeReadAreRefused(t *testing.T) {
	h := newTestHistory(t, "paths: [ /does/not/exist ]")
	require.ErrorContains(t, h.Connect(t.Context()), "/does/not/exist")

	require.ErrorContains(t, checkPaths([]string{"-", "/does/not/exist"}), "/does/not/exist")

	conf, err := historySpec().ParseYAML(`paths: [ "" ]`, nil)
	require.NoError(t, err)
	_, err = historyFromParsed(conf)
	require.ErrorContains(t, err, "a path is empty")
}

func TestVerdictsAreWrittenToANewFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results", "verdicts.ndjson")
	for range 2 {
		out := &ndjsonFile{path: file, kinds: []string{"verdict"}}
		require.NoError(t, out.Connect(t.Context()))
		verdict, run := service.NewMessage(nil), service.NewMessage([]byte("{}"))
		message.Set(verdict, testengine.KindVerdict, &testengine.Verdict{ID: "v1"})
		run.MetaSetMut(testengine.MetaKind, "run")
		require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{run, verdict, run}))
		require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{run}))
		require.NoError(t, out.Close(t.Context()))
	}
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(raw), "\n"))
	require.Contains(t, string(raw), `"id":"v1"`)
}
