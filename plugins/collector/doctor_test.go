package collector

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func examine(t *testing.T, base, token string, now func() time.Time) map[string]Finding {
	t.Helper()
	d := &Doctor{Base: base, Token: token, Timeout: 5 * time.Second, Now: now}
	found := map[string]Finding{}
	for _, f := range d.Examine(t.Context()) {
		found[f.Name] = f
	}
	return found
}

func TestTheDoctorFindsWhatACollectorWouldFind(t *testing.T) {
	h := openHouse(t, "", "max_body: 1MiB")
	t.Run("all is well", func(t *testing.T) {
		found := examine(t, h.url()+"/v1/uploads", writeToken, time.Now)
		for name, f := range found {
			require.True(t, f.OK, "%s: %s", name, f.Detail)
		}
		require.Contains(t, found["upload"].Detail, "202")
		require.Contains(t, found["size"].Detail, "larger than 1048576 bytes")
	})
	for _, c := range []struct {
		name, base, token string
		now               func() time.Time
		where, says       string
	}{
		{"a wrong token", h.url(), "wrong", time.Now, "upload", "a collector would be answered 401"},
		{"a token that may not write", h.url(), readToken, time.Now, "upload", "answered 403"},
		{"a clock that is off", h.url(), writeToken, func() time.Time { return time.Now().Add(time.Hour) }, "clock", "clock is 1h0m"},
		{"nobody there", "http://127.0.0.1:1", writeToken, time.Now, "connection", "nothing answers at 127.0.0.1:1"},
		{"a name without address", "http://none.invalid", writeToken, time.Now, "DNS", "none.invalid has no address here"},
		{"no address", "tests.example", writeToken, time.Now, "address", "is no address such as"},
		{"plain HTTP where TLS is expected", strings.Replace(h.url(), "http:", "https:", 1), writeToken, time.Now, "TLS", "will not trust the certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := examine(t, c.base, c.token, c.now)
			require.False(t, found[c.where].OK)
			require.Contains(t, found[c.where].Detail, c.says)
		})
	}
	require.Len(t, h.messages(), 2, "whoever has the token has sent an upload without executions")
}

func TestVariablesAreMadeFromWhateverACollectorsVariableSays(t *testing.T) {
	for _, address := range []string{
		"http://h:1", "http://h:1/", "http://h:1/v1/uploads", "http://h:1/v1/uploads/", "http://h:1/v1", "http://h:1/v1/traces",
	} {
		require.Contains(t, Variables(address, "t"), "BUILDKITE_ANALYTICS_BASE_URL=http://h:1/v1/uploads ", address)
	}
	require.Contains(t, Variables("https://h/tests", "t"), "BASE_URL=https://h/tests/v1/uploads ")
	require.Equal(t, "http://localhost:8420", FrontDoorAt(":8420"))
	require.Equal(t, "http://10.0.0.1:8420", FrontDoorAt("10.0.0.1:8420"))
}
