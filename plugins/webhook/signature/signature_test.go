package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/webhook/signature"
)

// The first and the fourth are the examples that GitHub and Standard Webhooks publish.
func TestSignatures(t *testing.T) {
	const (
		github   = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
		standard = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		stripe   = "t=1614265330,v0=00,v1=0e33f89a4a9ed1b1cb3be2bd1b0d4de4d4a4a3b2a2b7c8f90b2f0f2c5c4b3a29"
	)
	everybody := "It's a Secret to Everybody"
	at := time.Unix(1614265330, 0)
	standardHeaders := func(id, seconds, text string) map[string]string {
		return map[string]string{"webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": text}
	}
	standardOptions := signature.Options{Scheme: "standard", Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, Tolerance: 5 * time.Minute}
	for _, c := range []struct {
		name    string
		options signature.Options
		headers map[string]string
		body    string
		now     time.Time
		want    error
		id      string
	}{
		{
			"GitHub's example is right",
			signature.Options{Scheme: "github", Secrets: []string{everybody}},
			map[string]string{"X-Hub-Signature-256": github},
			"Hello, World!", at, nil, github[7:],
		},
		{
			"one of two secrets is enough",
			signature.Options{Scheme: "github", Secrets: []string{"new", everybody}},
			map[string]string{"X-Hub-Signature-256": github},
			"Hello, World!", at, nil, "42cb9ad9b820e211bf0e0b39255ff0f6127701cb90042192797d1f577d464482",
		},
		{
			"another body is not",
			signature.Options{Scheme: "github", Secrets: []string{everybody}},
			map[string]string{"X-Hub-Signature-256": github},
			"Hello, World?", at, signature.ErrInvalid, "",
		},
		{"no header is no signature", signature.Options{Scheme: "github", Secrets: []string{everybody}}, nil, "Hello, World!", at, signature.ErrMissing, ""},
		{
			"a header without the prefix is none",
			signature.Options{Scheme: "github", Secrets: []string{everybody}},
			map[string]string{"X-Hub-Signature-256": github[7:]},
			"Hello, World!", at, signature.ErrInvalid, "",
		},
		{
			"the example of Standard Webhooks is right", standardOptions,
			standardHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", standard), `{"test": 2432232314}`, at, nil, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		},
		{
			"beside a signature of another version", standardOptions,
			standardHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v2,xx "+standard), `{"test": 2432232314}`, at, nil, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		},
		{
			"another id is not what was signed", standardOptions,
			standardHeaders("msg_2", "1614265330", standard), `{"test": 2432232314}`, at, signature.ErrInvalid, "",
		},
		{
			"an old one is stale", standardOptions,
			standardHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", standard), `{"test": 2432232314}`, at.Add(6 * time.Minute), signature.ErrStale, "",
		},
		{
			"one from the future too", standardOptions,
			standardHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", standard), `{"test": 2432232314}`, at.Add(-6 * time.Minute), signature.ErrStale, "",
		},
		{
			"a time that is no number", standardOptions,
			standardHeaders("m", "noon", standard), `{}`, at, signature.ErrInvalid, "",
		},
		{
			"a wrong signature of Stripe's kind",
			signature.Options{Scheme: "stripe", Secrets: []string{"s"}},
			map[string]string{"Stripe-Signature": stripe},
			"{}", at, signature.ErrInvalid, "",
		},
		{
			"one of Stripe's kind without a time",
			signature.Options{Scheme: "stripe", Secrets: []string{"s"}},
			map[string]string{"Stripe-Signature": "v1=00"},
			"{}", at, signature.ErrInvalid, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			for name, value := range c.headers {
				header.Set(name, value)
			}
			v, err := signature.New(c.options)
			require.NoError(t, err)
			got, err := v.Verify(c.now, header.Get, []byte(c.body))
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.id, got.ID)
		})
	}
}

// Whoever has overheard a webhook can write its header anew, with signatures of his own beside the right one.
func TestADeliveryHasOneNameHoweverItsHeaderIsWritten(t *testing.T) {
	sum := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("1614265330.{}"))
		return hex.EncodeToString(mac.Sum(nil))
	}
	v, err := signature.New(signature.Options{Scheme: "stripe", Secrets: []string{"new", "old"}})
	require.NoError(t, err)
	names := map[string]bool{}
	for _, header := range []string{
		"t=1614265330,v1=" + sum("new"),
		"t=1614265330,v1=" + strings.ToUpper(sum("new")),
		"t=1614265330,v1=00,v1=" + sum("new"),
		"t=1614265330,v1=" + sum("old"),
		"t=1614265330,v1=" + sum("old") + ",v1=" + sum("new"),
	} {
		got, err := v.Verify(time.Unix(1614265330, 0), func(string) string { return header }, []byte("{}"))
		require.NoError(t, err)
		names[got.ID] = true
	}
	require.Equal(t, map[string]bool{sum("new"): true}, names)
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		options signature.Options
		want    string
	}{
		{signature.Options{Scheme: "none"}, `reading scheme: "none" is none of github, stripe, standard, hmac`},
		{signature.Options{Scheme: "github"}, "reading secrets: at least one is needed"},
		{signature.Options{Scheme: "github", Secrets: []string{""}}, "reading secrets: number 1 is empty"},
		{signature.Options{Scheme: "standard", Secrets: []string{"?"}}, "reading secrets: number 1: it is not whsec_ and base64"},
		{signature.Options{Scheme: "hmac", Secrets: []string{"s"}}, "reading header: the scheme hmac needs the name of the header with the signature"},
		{signature.Options{Scheme: "hmac", Secrets: []string{"s"}, Header: "X", Encoding: "rot13"}, `reading encoding: "rot13" is neither hex nor base64`},
		{signature.Options{Scheme: "hmac", Secrets: []string{"s"}, Header: "X", Algorithm: "md5"}, `reading algorithm: "md5" is none of sha256, sha1, sha512`},
	} {
		_, err := signature.New(c.options)
		require.EqualError(t, err, c.want)
	}
}
