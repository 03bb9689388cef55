package quota_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/admission/quota"
)

func TestQuota(t *testing.T) {
	type send struct {
		at    time.Duration
		who   string
		bytes int64
		wait  time.Duration
	}
	for _, c := range []struct {
		name   string
		limits quota.Limits
		sends  []send
	}{
		{"without limits everything passes", quota.Limits{}, []send{{0, "a", 1 << 40, 0}, {0, "a", 1 << 40, 0}}},
		{"the limit of a minute may be used at once, then it fills up", quota.Limits{Uploads: 2}, []send{
			{0, "a", 1, 0}, {0, "a", 1, 0}, {0, "a", 1, 30 * time.Second}, {29 * time.Second, "a", 1, time.Second}, {30 * time.Second, "a", 1, 0},
		}},
		{"what is refused is not counted", quota.Limits{Uploads: 1}, []send{
			{0, "a", 1, 0}, {10 * time.Second, "a", 1, 50 * time.Second}, {10 * time.Second, "a", 1, 50 * time.Second}, {time.Minute, "a", 1, 0},
		}},
		{"each has a quota of his own", quota.Limits{Uploads: 1}, []send{{0, "a", 1, 0}, {0, "b", 1, 0}, {0, "a", 1, time.Minute}}},
		{"bytes count too", quota.Limits{Uploads: 100, Bytes: 60}, []send{{0, "a", 50, 0}, {0, "a", 20, 10 * time.Second}, {0, "a", 10, 0}}},
		{"an upload larger than the limit passes, and has to be waited for", quota.Limits{Bytes: 60}, []send{
			{0, "a", 180, 0}, {time.Minute, "a", 60, 2 * time.Minute}, {3 * time.Minute, "a", 60, 0},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			book, began := quota.New(), time.Unix(1000, 0)
			for n, s := range c.sends {
				require.Equal(t, s.wait, book.Take(began.Add(s.at), s.who, c.limits, s.bytes), "send %d", n)
			}
		})
	}
}
