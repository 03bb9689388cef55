// Package signature checks that a webhook comes from whoever knows its secret.
package signature

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // senders that know nothing better are read too
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"
)

// Why a webhook is refused.
var (
	ErrMissing = errors.New("it is not signed")
	ErrInvalid = errors.New("its signature is not that of any secret")
	ErrStale   = errors.New("it was signed too long ago or in the future: check the sender's clock")
)

// Verified is a webhook whose signature is right.
type Verified struct {
	// ID names the delivery by something that is signed: the same again is a replay.
	// Where the scheme has no id, it is what the first secret makes of the signed
	// bytes: the header may carry further signatures that nobody has checked.
	ID string
}

// Verifier checks webhooks of one scheme. It is safe for concurrent use.
type Verifier struct {
	scheme  scheme
	secrets [][]byte
	// tolerance bounds how far the signed time may be from now; 0 does not look.
	tolerance time.Duration
}

// Header reads a header of the request, "" when it is absent.
type Header func(name string) string

// A scheme finds in a request's headers what was signed and the signatures.
type scheme interface {
	read(header Header) (signed, error)
	secret(text string) ([]byte, error)
	algorithm() func() hash.Hash
}

// signed is what a scheme finds.
type signed struct {
	// before stands in front of the body in what is signed.
	before string
	// at is the signed time; zero for schemes without one.
	at         time.Time
	id         string
	signatures [][]byte
}

// Options say how webhooks are signed.
type Options struct {
	// Scheme is github, stripe, standard or hmac.
	Scheme string
	// Secrets are all that are valid now, so that one can be replaced without a gap.
	Secrets   []string
	Tolerance time.Duration
	// Header, Prefix, Encoding (hex or base64) and Algorithm (sha1, sha256, sha512)
	// are for hmac; Header also for stripe.
	Header, Prefix, Encoding, Algorithm string
}

// New returns a verifier; errors are mistakes of the configuration.
func New(o Options) (*Verifier, error) {
	v := &Verifier{tolerance: o.Tolerance}
	switch o.Scheme {
	case "github":
		v.scheme = plainHMAC{header: "X-Hub-Signature-256", prefix: "sha256=", decode: hex.DecodeString, hash: sha256.New}
	case "stripe":
		v.scheme = timed{header: o.Header}
	case "standard":
		v.scheme = standard{}
	case "hmac":
		plain, err := plainFrom(o)
		if err != nil {
			return nil, err
		}
		v.scheme = plain
	default:
		return nil, fmt.Errorf("reading scheme: %q is none of github, stripe, standard, hmac", o.Scheme)
	}
	if len(o.Secrets) == 0 {
		return nil, errors.New("reading secrets: at least one is needed")
	}
	for i, text := range o.Secrets {
		secret, err := v.scheme.secret(text)
		if err != nil {
			return nil, fmt.Errorf("reading secrets: number %d: %w", i+1, err)
		}
		if len(secret) == 0 {
			return nil, fmt.Errorf("reading secrets: number %d is empty", i+1)
		}
		v.secrets = append(v.secrets, secret)
	}
	return v, nil
}

// Verify checks a request's body against its headers. The comparison takes the
// same time wherever signatures differ.
func (v *Verifier) Verify(now time.Time, header Header, body []byte) (Verified, error) {
	found, err := v.scheme.read(header)
	if err != nil {
		return Verified{}, err
	}
	if len(found.signatures) == 0 {
		return Verified{}, ErrMissing
	}
	right, id := false, found.id
	for i, secret := range v.secrets {
		mac := hmac.New(v.scheme.algorithm(), secret)
		mac.Write([]byte(found.before))
		mac.Write(body)
		sum := mac.Sum(nil)
		for _, signature := range found.signatures {
			right = hmac.Equal(sum, signature) || right
		}
		if i == 0 && id == "" {
			id = hex.EncodeToString(sum)
		}
	}
	if !right {
		return Verified{}, ErrInvalid
	}
	if !found.at.IsZero() && v.tolerance > 0 && now.Sub(found.at).Abs() > v.tolerance {
		return Verified{}, ErrStale
	}
	return Verified{ID: id}, nil
}

// plainHMAC is a signature of the body alone: GitHub and many others.
type plainHMAC struct {
	header, prefix string
	decode         func(string) ([]byte, error)
	hash           func() hash.Hash
}

func plainFrom(o Options) (p plainHMAC, err error) {
	p.header, p.prefix = o.Header, o.Prefix
	if p.header == "" {
		return p, errors.New("reading header: the scheme hmac needs the name of the header with the signature")
	}
	switch o.Encoding {
	case "", "hex":
		p.decode = hex.DecodeString
	case "base64":
		p.decode = base64.StdEncoding.DecodeString
	default:
		return p, fmt.Errorf("reading encoding: %q is neither hex nor base64", o.Encoding)
	}
	switch o.Algorithm {
	case "", "sha256":
		p.hash = sha256.New
	case "sha1":
		p.hash = sha1.New
	case "sha512":
		p.hash = sha512.New
	default:
		return p, fmt.Errorf("reading algorithm: %q is none of sha256, sha1, sha512", o.Algorithm)
	}
	return p, nil
}

func (p plainHMAC) read(header Header) (signed, error) {
	text := header(p.header)
	if text == "" {
		return signed{}, ErrMissing
	}
	digits, ok := strings.CutPrefix(text, p.prefix)
	if !ok {
		return signed{}, ErrInvalid
	}
	signature, err := p.decode(digits)
	if err != nil {
		return signed{}, ErrInvalid
	}
	return signed{signatures: [][]byte{signature}}, nil
}

func (plainHMAC) secret(text string) ([]byte, error) { return []byte(text), nil }

func (p plainHMAC) algorithm() func() hash.Hash { return p.hash }

// timed is Stripe's scheme: t=SECONDS,v1=HEX[,v1=HEX], over the seconds, a dot and the body.
type timed struct{ header string }

func (s timed) read(header Header) (found signed, err error) {
	name := s.header
	if name == "" {
		name = "Stripe-Signature"
	}
	text := header(name)
	if text == "" {
		return found, ErrMissing
	}
	for field := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch key {
		case "t":
			if found.at, err = moment(value); err != nil {
				return found, err
			}
			found.before = value + "."
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil {
				found.signatures = append(found.signatures, signature)
			}
		}
	}
	if found.before == "" {
		return found, ErrInvalid
	}
	return found, nil
}

func (timed) secret(text string) ([]byte, error) { return []byte(text), nil }

func (timed) algorithm() func() hash.Hash { return sha256.New }

// standard is Standard Webhooks (standardwebhooks.com): id, seconds and body
// with dots between, secrets in base64 behind whsec_.
type standard struct{}

func (standard) read(header Header) (found signed, err error) {
	id, seconds, text := header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")
	if id == "" || seconds == "" || text == "" {
		return found, ErrMissing
	}
	if found.at, err = moment(seconds); err != nil {
		return found, err
	}
	found.id, found.before = id, id+"."+seconds+"."
	for word := range strings.FieldsSeq(text) {
		version, encoded, _ := strings.Cut(word, ",")
		if version != "v1" {
			continue
		}
		if signature, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			found.signatures = append(found.signatures, signature)
		}
	}
	return found, nil
}

func (standard) secret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil {
		return nil, errors.New("it is not whsec_ and base64")
	}
	return secret, nil
}

func (standard) algorithm() func() hash.Hash { return sha256.New }

func moment(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, ErrInvalid
	}
	return time.Unix(n, 0), nil
}
