// Command load posts uploads to a door over a few connections and prints what
// it saw. It is a process of its own, so that the server's CPU is measured apart.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type settings struct {
	sample

	address     string
	tokens      []string
	connections int
	duration    time.Duration
	gzip        bool
	rate        int
}

// seen is what one connection saw.
type seen struct {
	answers   map[int]int
	latencies []time.Duration
	// served is how long the server says that it had each request (Server-Timing),
	// worked that without the time in which it waited for others.
	served, worked []time.Duration
	bytes          int64
}

func main() {
	var s settings
	var kind, tokens, path string
	flag.StringVar(&s.address, "address", "127.0.0.1:8420", "host:port of the door")
	flag.StringVar(&path, "path", "", "where bodies are sent to, when not where such bodies usually go")
	flag.StringVar(&tokens, "token", "", "the suite's token; of several, divided by commas, each connection takes one")
	flag.StringVar(&kind, "body", "mb1", "small, mb1, std or big (JSON of collectors), junit, otlp or otlp-json")
	flag.IntVar(&s.connections, "connections", 8, "connections, each with one request at a time")
	flag.DurationVar(&s.duration, "duration", 10*time.Second, "how long")
	flag.BoolVar(&s.gzip, "gzip", false, "send Content-Encoding: gzip")
	flag.IntVar(&s.rate, "rate", 0, "executions a second that become due, answered in time or not; 0 is as fast as it goes")
	serve := flag.Bool("serve", false, "be a server at the address that reads bodies and answers 202 at once, for comparison")
	flag.Parse()
	if *serve {
		log.Fatal(serveBare(s.address))
	}
	s.tokens = strings.Split(tokens, ",")

	if s.sample = sampleOf(kind); path != "" {
		s.path = path
	}
	report(s, run(s))
}

func run(s settings) []seen {
	all := make([]seen, s.connections)
	t := timetable{settings: s, begin: time.Now()}
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() { all[i] = post(s, s.tokens[i%len(s.tokens)], &t) })
	}
	group.Wait()
	return all
}

// timetable gives out the uploads of all connections.
type timetable struct {
	settings
	begin time.Time
	given atomic.Int64
}

// next waits until an upload is due and returns its number, which no other run
// of the program has, and when it was due; ok is false when time is up. With a
// rate uploads are due whether those before them were answered or not: a slow
// door is behind, and the waiting counts as latency.
func (t *timetable) next() (number uint64, due time.Time, ok bool) {
	given := t.given.Add(1) - 1
	due = time.Now()
	if t.rate > 0 {
		due = t.begin.Add(time.Duration(float64(given) * float64(t.executions) / float64(t.rate) * float64(time.Second)))
		time.Sleep(time.Until(due))
	}
	return uint64(t.begin.UnixNano() + given), due, due.Before(t.begin.Add(t.duration))
}

func post(s settings, token string, t *timetable) seen {
	result := seen{answers: map[int]int{}}
	body := bytes.Clone(s.body)
	connection, err := net.Dial("tcp", s.address)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	answers := bufio.NewReader(connection)
	// A gzip body is two members: the head with the run key is packed each time, the rest once.
	var rest []byte
	if s.gzip {
		rest = pack(body[s.key+16:])
	}
	for {
		upload, asked, ok := t.next()
		if !ok {
			return result
		}
		var number [8]byte
		binary.BigEndian.PutUint64(number[:], upload)
		hex.Encode(body[s.key:], number[:])
		sent, encoding := body, ""
		if s.gzip {
			sent, encoding = append(pack(body[:s.key+16]), rest...), "Content-Encoding: gzip\r\n"
		}
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Token token=%q\r\n"+
			"Content-Type: %s\r\n%sContent-Length: %d\r\n\r\n", s.path, s.address, token, s.contentType, encoding, len(sent))
		buffers := net.Buffers{[]byte(head), sent}
		if _, err := buffers.WriteTo(connection); err != nil {
			log.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			log.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			answer.StatusCode = http.StatusAccepted // OTLP is answered 200, and stock http_server answers so.
		}
		if answer.StatusCode != http.StatusAccepted && result.answers[answer.StatusCode] == 0 {
			log.Printf("answer %d: %s", answer.StatusCode, strings.TrimSpace(string(text)))
		}
		result.answers[answer.StatusCode]++
		result.latencies = append(result.latencies, time.Since(asked))
		var door, wait float64
		if n, _ := fmt.Sscanf(answer.Header.Get("Server-Timing"), "door;dur=%f, wait;dur=%f", &door, &wait); n > 0 {
			result.served = append(result.served, time.Duration(door*float64(time.Millisecond)))
			result.worked = append(result.worked, time.Duration((door-wait)*float64(time.Millisecond)))
		}
		result.bytes += int64(len(body))
	}
}

func pack(part []byte) []byte {
	var into bytes.Buffer
	writer := gzip.NewWriter(&into)
	_, _ = writer.Write(part)
	_ = writer.Close()
	return into.Bytes()
}

func report(s settings, all []seen) {
	answers := map[int]int{}
	latencies, served, worked := []time.Duration{}, []time.Duration{0}, []time.Duration{0}
	var sent int64
	for _, one := range all {
		for status, n := range one.answers {
			answers[status] += n
		}
		latencies = append(latencies, one.latencies...)
		served, worked = append(served, one.served...), append(worked, one.worked...)
		sent += one.bytes
	}
	seconds := s.duration.Seconds()
	at := func(took []time.Duration, share float64) float64 {
		slices.Sort(took)
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	fmt.Printf("executions/s %.0f MB/s %.0f p50 %.2f ms p99 %.2f ms served p50 %.2f ms p99 %.2f ms worked p99 %.2f ms uploads %d accepted %d\n",
		float64(answers[http.StatusAccepted]*s.executions)/seconds, float64(sent)/1e6/seconds,
		at(latencies, 0.5), at(latencies, 0.99), at(served, 0.5), at(served, 0.99), at(worked, 0.99), len(latencies), answers[http.StatusAccepted])
}
