package collector

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// keysGoodFor is how long an issuer's answer is given again instead of asking.
	// A key that the issuer has just begun to use waits for no longer than that.
	keysGoodFor = time.Second
	// keysBytes bounds what an issuer's answer may have.
	keysBytes = 1 << 20
)

// seldom asks an issuer for the same thing once in keysGoodFor: each token that
// names a key nobody knows makes the library ask for keys again, and anybody can
// write such tokens.
type seldom struct {
	now  func() time.Time
	next http.RoundTripper

	mu      sync.Mutex
	answers map[string]keptAnswer // by URL; only issuers of policies are asked
}

type keptAnswer struct {
	at     time.Time
	header http.Header
	body   []byte
}

func newSeldom(now func() time.Time) *seldom {
	return &seldom{now: now, next: http.DefaultTransport, answers: map[string]keptAnswer{}}
}

// RoundTrip answers from memory, or asks.
func (s *seldom) RoundTrip(request *http.Request) (*http.Response, error) {
	key := request.URL.String()
	s.mu.Lock()
	kept, known := s.answers[key]
	s.mu.Unlock()
	if known && s.now().Sub(kept.at) < keysGoodFor {
		return kept.response(request), nil
	}
	response, err := s.next.RoundTrip(request)
	if err != nil || request.Method != http.MethodGet || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer response.Body.Close() //nolint:errcheck // read as far as wanted
	body, err := io.ReadAll(io.LimitReader(response.Body, keysBytes))
	if err != nil {
		return nil, err
	}
	kept = keptAnswer{s.now(), response.Header, body}
	s.mu.Lock()
	s.answers[key] = kept
	s.mu.Unlock()
	return kept.response(request), nil
}

func (k *keptAnswer) response(request *http.Request) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: k.header.Clone(), Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: request,
	}
}
