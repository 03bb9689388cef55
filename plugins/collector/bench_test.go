package collector

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

// BenchmarkDoor is the door without a log: eight connections, a stream that acks
// at once, the client in the same process.
func BenchmarkDoor(b *testing.B) {
	for _, kind := range []struct {
		name   string
		size   bodies.Kind
		gzip   bool
		extras string
	}{
		{"1MB", bodies.MB1, false, "reuse_bodies: true\n"},
		{"1MB/fresh_bodies", bodies.MB1, false, ""},
		{"100KB", bodies.Small, false, "reuse_bodies: true\n"},
		{"1MB/gzip", bodies.MB1, true, "reuse_bodies: true\n"},
		{"100KB/gzip", bodies.Small, true, "reuse_bodies: true\n"},
	} {
		b.Run(kind.name, func(b *testing.B) {
			h := openHouse(b, "", kind.extras)
			raw := bodies.Generate(1, kind.size)
			b.SetBytes(int64(len(raw)))
			request := requestBytes(raw, kind.gzip)
			took := hammer(b, h.listener.Address(), request)
			slices.Sort(took)
			b.ReportMetric(float64(b.N*kind.size.Executions())/b.Elapsed().Seconds(), "executions/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func requestBytes(raw []byte, zipped bool) []byte {
	encoding := ""
	if zipped {
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.DefaultCompression)
		_, _ = w.Write(raw)
		_ = w.Close()
		raw, encoding = packed.Bytes(), "Content-Encoding: gzip\r\n"
	}
	head := "POST /v1/uploads HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + encoding +
		"Authorization: Token token=\"" + writeToken + "\"\r\nContent-Length: " + strconv.Itoa(len(raw)) + "\r\n\r\n"
	return append([]byte(head), raw...)
}

// hammer sends b.N requests over eight connections and returns how long each took.
func hammer(b *testing.B, address string, request []byte) []time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var mu sync.Mutex
	var all []time.Duration
	var clients sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 8 {
		clients.Go(func() {
			connection, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = connection.Close() }()
			from := bufio.NewReader(connection)
			var took []time.Duration
			for left.Add(-1) >= 0 {
				started := time.Now()
				if _, err := connection.Write(request); err != nil {
					b.Error(err)
					return
				}
				response, err := http.ReadResponse(from, nil)
				if err != nil || response.StatusCode != http.StatusAccepted {
					b.Error(response, err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				took = append(took, time.Since(started))
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	clients.Wait()
	b.StopTimer()
	require.Len(b, all, b.N)
	return all
}
