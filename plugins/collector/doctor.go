package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Finding is one thing that was looked at from a CI machine's point of view.
type Finding struct {
	Name string
	// OK is false when a collector would lose data.
	OK bool
	// Detail says what was found and, when it is not well, what to do.
	Detail string
}

// Doctor looks at a front door as a collector on this machine would find it.
type Doctor struct {
	// Base is the front door's address, or what a collector's variable says of it; Token the suite's.
	Base, Token string
	// Timeout bounds each look.
	Timeout time.Duration
	Now     func() time.Time
	// TLS is for tests with certificates of their own; nil is the system's.
	TLS *tls.Config
}

// clockTolerance is how far clocks may differ before signed things fail.
const clockTolerance = 30 * time.Second

// Examine looks at one thing after the other, and stops where nothing further
// can be reached.
func (d *Doctor) Examine(ctx context.Context) (findings []Finding) {
	tell := func(name string, detail string, err error) bool {
		if err != nil {
			findings = append(findings, Finding{name, false, err.Error()})
			return false
		}
		findings = append(findings, Finding{name, true, detail})
		return true
	}
	base, err := url.Parse(FrontDoor(d.Base))
	if err == nil && (base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
		err = fmt.Errorf("%q is no address such as https://tests.example.com", d.Base)
	}
	if !tell("address", d.Base, err) {
		return findings
	}
	detail, err := d.resolve(ctx, base.Hostname())
	if !tell("DNS", detail, err) {
		return findings
	}
	detail, err = d.connect(ctx, base)
	if !tell("connection", detail, err) {
		return findings
	}
	if base.Scheme == "https" {
		detail, err = d.handshake(ctx, base)
		if !tell("TLS", detail, err) {
			return findings
		}
	}
	detail, err = d.ready(ctx, base)
	tell("ready", detail, err)
	detail, err = d.clock(ctx, base)
	tell("clock", detail, err)
	detail, err = d.upload(ctx, base)
	if !tell("upload", detail, err) {
		return findings
	}
	detail, err = d.largest(ctx, base)
	tell("size", detail, err)
	return findings
}

// FrontDoor is the address of the server in the value of a collector's variable,
// which goes on to a path of its own.
func FrontDoor(address string) string {
	address = strings.TrimRight(address, "/")
	for _, path := range []string{"/v1/uploads", "/v1/traces", "/v1"} {
		if base, is := strings.CutSuffix(address, path); is {
			return base
		}
	}
	return address
}

// FrontDoorAt is the address of a server that listens on address, for who sits on its machine.
func FrontDoorAt(address string) string { return "http://" + reachable(address) }

func (d *Doctor) resolve(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("%s has no address here: check the name, and this machine's resolver: %w", host, err)
	}
	return host + " is " + strings.Join(addresses, ", "), nil
}

func hostPort(base *url.URL) string {
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	return net.JoinHostPort(base.Hostname(), port)
}

func (d *Doctor) connect(ctx context.Context, base *url.URL) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	began := d.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort(base))
	if err != nil {
		return "", fmt.Errorf("nothing answers at %s: is the server running, and the port open from here? %w", hostPort(base), err)
	}
	return fmt.Sprintf("%s answers in %s", hostPort(base), d.since(began)), conn.Close()
}

func (d *Doctor) handshake(ctx context.Context, base *url.URL) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	dialer := &tls.Dialer{Config: d.TLS}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(base))
	if err != nil {
		return "", fmt.Errorf("collectors will not trust the certificate: %w", err)
	}
	defer conn.Close()                          //nolint:errcheck // nothing was sent
	state := conn.(*tls.Conn).ConnectionState() //nolint:forcetypeassert // a tls.Dialer gives one
	leaf := state.PeerCertificates[0]
	left := leaf.NotAfter.Sub(d.Now()).Round(time.Hour)
	if left < 7*24*time.Hour {
		return "", fmt.Errorf("the certificate ends on %s: renew it", leaf.NotAfter.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s, certificate good until %s", tls.VersionName(state.Version), leaf.NotAfter.Format(time.DateOnly)), nil
}

func (d *Doctor) ready(ctx context.Context, base *url.URL) (string, error) {
	response, body, err := d.ask(ctx, http.MethodGet, base.JoinPath("ready").String(), nil, nil)
	if err != nil {
		return "", err
	}
	var said struct {
		Ready      *bool
		WaitingFor map[string]string `json:"waiting_for"`
	}
	if json.Unmarshal(body, &said) != nil || said.Ready == nil {
		return "", fmt.Errorf("is this the front door's address? (%d) %s", response.StatusCode, messageOf(body))
	}
	if !*said.Ready {
		return "", fmt.Errorf("the server is not ready, it waits for %v", said.WaitingFor)
	}
	return "the server takes uploads", nil
}

func (d *Doctor) clock(ctx context.Context, base *url.URL) (string, error) {
	response, _, err := d.ask(ctx, http.MethodGet, base.JoinPath("live").String(), nil, nil)
	if err != nil {
		return "", err
	}
	server, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return "", errors.New("the answer has no date: is a proxy in between that takes it away?")
	}
	if off := d.Now().Sub(server).Round(time.Second); off.Abs() > clockTolerance {
		return "", fmt.Errorf("this machine's clock is %s off the server's: OIDC tokens will be refused", off)
	}
	return "this machine's clock is the server's, within " + clockTolerance.String(), nil
}

// upload sends an upload without executions, as collectors do when nothing is selected.
func (d *Doctor) upload(ctx context.Context, base *url.URL) (string, error) {
	body, _ := json.Marshal(map[string]any{ //nolint:errchkjson // texts alone
		"format": "json", "run_env": map[string]string{"CI": "generic", "key": "doctor", "collector": "connect-testengine doctor"}, "data": []any{},
	})
	began := d.Now()
	response, answer, err := d.ask(ctx, http.MethodPost, base.JoinPath("v1", "uploads").String(), body, d.headers())
	if err != nil {
		return "", err
	}
	took := d.since(began)
	if response.StatusCode != http.StatusAccepted || !isDoors(answer, "upload_id") {
		return "", fmt.Errorf("a collector would be answered %d and lose its results: %s", response.StatusCode, messageOf(answer))
	}
	return fmt.Sprintf("a collector is answered 202 in %s; its CI job waits that long", took), nil
}

// usualLargest is what the bodies of webhooks and large test suites reach.
const usualLargest = 21 << 20

// errWanted ends a body that the server asks for: its size is no reason to refuse it.
var errWanted = errors.New("the server takes a body of this size")

// largest announces a large upload and one that is too large: whether a proxy in
// front refuses what the door would take, and what the door's limit is.
func (d *Doctor) largest(ctx context.Context, base *url.URL) (string, error) {
	for _, size := range []int64{usualLargest, 1 << 40} {
		status, answer, err := d.announce(ctx, base, size)
		switch {
		case errors.Is(err, errWanted) && size == usualLargest:
		case errors.Is(err, errWanted):
			return "", errors.New("an upload of 1 TiB is not refused before it is sent: does a proxy in front keep the answer back?")
		case err != nil:
			return "", err
		case status == http.StatusRequestEntityTooLarge && isDoors(answer, "message"):
			return "an upload that is too large is answered 413: " + messageOf(answer), nil
		case status == http.StatusRequestEntityTooLarge && size == usualLargest:
			return "", fmt.Errorf("a proxy in front refuses an upload of %d MiB, not the door: raise its limit (nginx: client_max_body_size) to the door's max_body: %s",
				size>>20, messageOf(answer))
		case status == http.StatusRequestEntityTooLarge:
			return fmt.Sprintf("%d MiB pass; an upload that is too large is refused by a proxy in front (413)", usualLargest>>20), nil
		default:
			return "", fmt.Errorf("an upload of %d MiB is answered %d: %s", size>>20, status, messageOf(answer))
		}
	}
	return "", errors.New("an upload of 1 TiB is taken")
}

// announce sends the header of an upload of that size.
func (d *Doctor) announce(ctx context.Context, base *url.URL, size int64) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath("v1", "uploads").String(), wanted{})
	if err != nil {
		return 0, nil, err
	}
	request.Header = d.headers()
	request.Header.Set("Expect", "100-continue")
	request.ContentLength = size
	response, answer, err := d.do(request)
	if err != nil {
		return 0, nil, err
	}
	return response.StatusCode, answer, nil
}

// wanted is a body that is not meant to be read.
type wanted struct{}

// Read says that it was.
func (wanted) Read([]byte) (int, error) { return 0, errWanted }

func (d *Doctor) headers() http.Header {
	return http.Header{"Authorization": {`Token token="` + d.Token + `"`}, "Content-Type": {"application/json"}}
}

func (d *Doctor) ask(ctx context.Context, method, target string, body []byte, header http.Header) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if header != nil {
		request.Header = header
	}
	return d.do(request)
}

func (d *Doctor) do(request *http.Request) (*http.Response, []byte, error) {
	const longest = 64 << 10
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the library's own
	transport.TLSClientConfig, transport.ExpectContinueTimeout = d.TLS, d.Timeout
	defer transport.CloseIdleConnections()
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := (&http.Client{Transport: transport, Timeout: d.Timeout, CheckRedirect: stay}).Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("the server did not answer: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read as far as wanted
	if to := response.Header.Get("Location"); to != "" && response.StatusCode/100 == 3 {
		return nil, nil, fmt.Errorf("the server sends clients on to %s (%d), and most collectors do not go there: use that address", shortened(to), response.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, longest))
	return response, answer, err
}

func (d *Doctor) since(began time.Time) time.Duration {
	return d.Now().Sub(began).Round(100 * time.Microsecond)
}

// isDoors says whether an answer is JSON with that text, as the front door's are.
func isDoors(answer []byte, field string) bool {
	var said map[string]any
	if json.Unmarshal(answer, &said) != nil {
		return false
	}
	text, _ := said[field].(string)
	return text != ""
}

// messageOf is what a refusal says, on one line. What is no message of the front
// door is said to come from somebody else.
func messageOf(answer []byte) string {
	var refused struct{ Message string }
	if json.Unmarshal(answer, &refused) == nil && refused.Message != "" {
		return refused.Message
	}
	text := shortened(strings.Join(strings.Fields(string(answer)), " "))
	if text == "" {
		text = "nothing"
	}
	return "that is no answer of a front door, another server or a proxy says: " + text
}

func shortened(text string) string {
	const longest = 120
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}
