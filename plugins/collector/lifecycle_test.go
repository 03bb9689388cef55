package collector

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// dial opens a connection and writes the start of a request.
func (h *house) dial(t *testing.T, start string) (net.Conn, *bufio.Reader) {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.listener.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(connection, start)
	require.NoError(t, err)
	return connection, bufio.NewReader(connection)
}

func read(t *testing.T, from *bufio.Reader) reply {
	t.Helper()
	response, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answered, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(answered)}
}

const announced = "POST /v1/uploads HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nAuthorization: Token " + writeToken + "\r\n"

func TestASlowBodyIsAnswered408(t *testing.T) {
	h := openHouse(t, "read_timeout: 50ms\n", "")
	_, from := h.dial(t, announced+"\r\n{")
	answer := read(t, from)
	require.Equal(t, 408, answer.status)
	require.Contains(t, answer.message(t), "did not arrive in time")
}

func TestASlowAckIsNoSlowBody(t *testing.T) {
	h := openHouse(t, "read_timeout: 20ms\n", "")
	h.mu.Lock()
	h.sink = func(service.MessageBatch) error {
		<-time.After(60 * time.Millisecond)
		return nil
	}
	h.mu.Unlock()
	require.Equal(t, 202, h.upload(t, body(oneExecution)).status)
}

func TestWhoExpectsToContinueIsToldTheTokenIsWrongFirst(t *testing.T) {
	h := openHouse(t, "", "")
	_, from := h.dial(t, strings.Replace(announced, writeToken, "guess", 1)+"Expect: 100-continue\r\n\r\n")
	require.Equal(t, 401, read(t, from).status, "no byte of the body was asked for")

	connection, from := h.dial(t, strings.Replace(announced, "1000", "11", 1)+"Expect: 100-continue\r\n\r\n")
	line, err := from.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = from.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(connection, `{"data":[]}`)
	require.NoError(t, err)
	require.Equal(t, 202, read(t, from).status)
}

func TestARefusedSenderReadsItsAnswerThoughItIsStillSending(t *testing.T) {
	h := openHouse(t, "", "")
	answer := h.send(t, strings.NewReader(strings.Repeat(" ", 8<<20)), "Authorization", "Bearer guess", "Content-Type", "application/json")
	require.Equal(t, 401, answer.status)
}

func TestBytesInFlightAreBounded(t *testing.T) {
	h := openHouse(t, "", "max_body: 600B\nmax_in_flight: 1000B\nin_flight_wait: 10ms\n")
	first := strings.Replace(announced, "1000", "600", 1)
	connection, from := h.dial(t, first+"\r\n")
	require.Eventually(t, func() bool { return h.input.door.metrics.held.Load() == 600 }, time.Second, time.Millisecond)

	answer := h.upload(t, append(body(oneExecution), make([]byte, 400)...))
	require.Equal(t, 503, answer.status, answer.body)
	require.Equal(t, "5", answer.header.Get("Retry-After"))
	require.Contains(t, answer.message(t), "bytes are in flight")

	whole := string(body(oneExecution))
	_, err := io.WriteString(connection, whole+strings.Repeat(" ", 600-len(whole)))
	require.NoError(t, err)
	require.Equal(t, 202, read(t, from).status)
	require.Equal(t, 202, h.upload(t, body(oneExecution)).status, "its room is free again")
	require.Zero(t, h.input.door.metrics.held.Load())
}

func TestStoppingAnswersEverybody(t *testing.T) {
	h := openHouse(t, "", "")
	entered, release := make(chan struct{}), make(chan struct{})
	h.mu.Lock()
	h.sink = func(service.MessageBatch) error {
		close(entered)
		<-release
		return nil
	}
	h.mu.Unlock()
	first := h.inBackground(t.Context(), body(oneExecution))
	<-entered
	second := h.inBackground(t.Context(), body(""))
	require.Eventually(t, func() bool { return h.input.door.metrics.open.Load() == 2 }, time.Second, time.Millisecond)

	h.stop()
	waiting := <-second
	require.Equal(t, 503, waiting.status, "what the stream has not taken is sent back at once")
	require.Contains(t, waiting.message(t), "shutting down")
	require.Equal(t, 503, h.request(t, http.MethodGet, "/ready", nil).status)
	close(release)
	require.Equal(t, 202, (<-first).status, "what it has taken gets its ack")
}

func TestAnUploadThatIsNeverAckedIsSentBack(t *testing.T) {
	t.Run("when the input closes", func(t *testing.T) {
		h := openHouse(t, "", "")
		entered, never := make(chan struct{}), make(chan struct{})
		t.Cleanup(func() { close(never) })
		h.mu.Lock()
		h.sink = func(service.MessageBatch) error {
			close(entered)
			<-never
			return nil
		}
		h.mu.Unlock()
		answers := h.inBackground(t.Context(), body(oneExecution))
		<-entered
		require.NoError(t, h.input.Close(context.Background()))
		answer := <-answers
		require.Equal(t, 503, answer.status)
		require.Contains(t, answer.message(t), "never counted twice")
	})
	t.Run("when its time is over", func(t *testing.T) {
		h := openHouse(t, "", "answer_timeout: 20ms\n")
		never := make(chan struct{})
		t.Cleanup(func() { close(never) })
		h.mu.Lock()
		h.sink = func(service.MessageBatch) error {
			<-never
			return nil
		}
		h.mu.Unlock()
		require.Contains(t, h.upload(t, body(oneExecution)).message(t), "never counted twice")
		require.Contains(t, h.upload(t, body(oneExecution)).message(t), "the log is behind", "the next is not even taken")
	})
}
