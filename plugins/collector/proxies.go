package collector

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// requestIDHeader names a request in answers, logs and whatever stands in front.
const requestIDHeader = "X-Request-Id"

// proxies are the addresses whose word about a client is taken.
type proxies []netip.Prefix

func parseProxies(texts []string) (trusted proxies, err error) {
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, addressErr := netip.ParseAddr(text)
			if addressErr != nil {
				return nil, fmt.Errorf("reading %s: %q is neither an address nor a network such as 10.0.0.0/8", lfTrustedProxies, text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		trusted = append(trusted, prefix.Masked())
	}
	return trusted, nil
}

func (p proxies) trust(address netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// client is the address of whoever sent the request: the peer's or, as long as
// those are trusted proxies, the one they name, from the last to the first.
func (p proxies) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || len(p) == 0 {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(address); i-- {
		named, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = named
	}
	return address.String()
}

// identify gives the request its client and an id, and the answer the id. A
// proxy that is trusted may have given one; nobody else's word is taken.
func (p proxies) identify(w http.ResponseWriter, r *http.Request) {
	fromProxy := false
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		address, err := netip.ParseAddr(host)
		fromProxy = err == nil && p.trust(address)
	}
	id := r.Header.Get(requestIDHeader)
	if !fromProxy || !validRequestID(id) {
		id = freshRequestID()
	}
	r.RemoteAddr = p.client(r)
	r.Header.Set(requestIDHeader, id)
	w.Header().Set(requestIDHeader, id)
}

func validRequestID(id string) bool {
	const longest = 128
	if id == "" || len(id) > longest {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func freshRequestID() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
