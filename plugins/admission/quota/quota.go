// Package quota counts what tenants send against what they may send.
package quota

import (
	"math"
	"sync"
	"time"
)

// Limits are what a tenant may send in a minute; 0 is without limit.
type Limits struct {
	Uploads int64
	Bytes   int64
}

// Book counts all tenants. It is safe for concurrent use.
type Book struct {
	mu      sync.Mutex
	tenants map[string]*account
	swept   time.Time
}

// account is two buckets that fill up within a minute.
type account struct {
	uploads, bytes bucket
}

type bucket struct {
	// level is what is left of the limit at that time; it may be below 0.
	level float64
	at    time.Time
}

// New returns an empty book.
func New() *Book { return &Book{tenants: map[string]*account{}} }

// Take counts one upload of that many bytes. When the tenant has sent more than
// it may it counts nothing and says how long to wait. An upload larger than the
// whole limit passes when the bucket is full: it then has to be waited for.
func (b *Book) Take(now time.Time, tenant string, limits Limits, bytes int64) (wait time.Duration) {
	if limits.Uploads <= 0 && limits.Bytes <= 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	a := b.tenants[tenant]
	if a == nil {
		a = &account{uploads: bucket{float64(limits.Uploads), now}, bytes: bucket{float64(limits.Bytes), now}}
		b.tenants[tenant] = a
	}
	a.uploads.fill(now, limits.Uploads)
	a.bytes.fill(now, limits.Bytes)
	wait = max(a.uploads.wait(limits.Uploads, 1), a.bytes.wait(limits.Bytes, bytes))
	if wait > 0 {
		return wait
	}
	a.uploads.level--
	a.bytes.level -= float64(bytes)
	return 0
}

func (b *bucket) fill(now time.Time, limit int64) {
	b.level = min(float64(limit), b.level+now.Sub(b.at).Minutes()*float64(limit))
	b.at = now
}

// wait is how long until n fits, in whole milliseconds.
func (b *bucket) wait(limit, n int64) time.Duration {
	if limit <= 0 {
		return 0
	}
	missing := min(float64(n), float64(limit)) - b.level
	if missing <= 0 {
		return 0
	}
	const perMinute = float64(time.Minute / time.Millisecond)
	return time.Duration(math.Ceil(missing/float64(limit)*perMinute)) * time.Millisecond
}

// sweep forgets tenants whose buckets are full again.
func (b *Book) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	for tenant, a := range b.tenants {
		if now.Sub(a.uploads.at) > 2*time.Minute {
			delete(b.tenants, tenant)
		}
	}
}
