package collector

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func TestARefusedUploadIsTellableFromTheLog(t *testing.T) {
	h := openHouse(t, "", "max_body: 1kB")
	var log safeBuffer
	h.input.door.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		require.Equal(t, 400, h.uploadAs(t, writeToken, `{`).status)
	}
	require.Equal(t, 413, h.uploadAs(t, writeToken, strings.Repeat(oneExecution+",", 100)+oneExecution).status)
	require.Equal(t, 401, h.uploadAs(t, "guessed", oneExecution).status)
	require.Equal(t, 202, h.uploadAs(t, writeToken, oneExecution).status)
	require.Equal(t, 2, strings.Count(log.String(), "An upload of acme/api was refused"), log.String())
	require.Contains(t, log.String(), "An upload of acme/api was refused (400): the JSON is broken at byte")
	require.Contains(t, log.String(), "An upload of acme/api was refused (413): the upload is larger than 1000 bytes")
	require.NotContains(t, log.String(), "guessed")
}

func TestRefusalsAreSaidOnceAMinuteForEachSuiteAndReason(t *testing.T) {
	var l refusalLog
	at := time.Unix(1_700_000_000, 0)
	broken, large := invalid("it is broken"), tooLarge("as sent", 7)
	require.Equal(t, "An upload of a/x was refused (400): it is broken", l.line(at, "a/x", broken))
	require.Empty(t, l.line(at.Add(time.Second), "a/x", broken))
	require.Empty(t, l.line(at.Add(59*time.Second), "a/x", broken))
	require.NotEmpty(t, l.line(at, "a/x", large), "another reason")
	require.NotEmpty(t, l.line(at, "a/y", broken), "another suite")
	require.Equal(t, "An upload of a/x was refused (400): it is broken; 2 more since the last such line", l.line(at.Add(refusalEvery), "a/x", broken))
	require.Equal(t, "An upload of a/x was refused (400): it is broken", l.line(at.Add(3*refusalEvery), "a/x", broken))
	require.Empty(t, l.line(at, "a/x", notStored(time.Second)), "the whole server refuses")
}
