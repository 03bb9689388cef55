package admission

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

type doorLoad struct {
	limit, inFlight, waiting int
	ok                       bool
}

func (d doorLoad) Admission() (limit, inFlight, waiting int, ok bool) {
	return d.limit, d.inFlight, d.waiting, d.ok
}

func TestAccessIsGrantedWhileTheFrontDoorHasRoom(t *testing.T) {
	conf, err := adaptiveSpec().ParseYAML("share: 0.5\nwait: 1s", nil)
	require.NoError(t, err)
	a, err := adaptiveFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		door doorLoad
		wait time.Duration
	}{
		{"nothing is in work", doorLoad{10, 0, 0, true}, 0},
		{"less than the share is", doorLoad{10, 4, 0, true}, 0},
		{"the share is", doorLoad{10, 5, 0, true}, time.Second},
		{"somebody waits", doorLoad{10, 1, 1, true}, time.Second},
		{"there is no front door", doorLoad{}, 0},
	} {
		require.Equal(t, c.wait, a.waitFor(c.door), c.name)
	}
	_, err = a.Access(t.Context())
	require.ErrorContains(t, err, `finding the http_listener "listener"`)
}
