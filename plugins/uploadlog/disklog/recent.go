package disklog

import "time"

// keyMemory is how long a duplicate is recognised, in log time.
const keyMemory = 24 * time.Hour

// recentKeys remembers the newest keys. Missing one only costs the work of
// those behind, who drop what their state knows.
type recentKeys struct {
	times map[Key]int64
	ring  []Key
	oldest,
	count int
}

func newRecentKeys(limit int) *recentKeys {
	return &recentKeys{times: map[Key]int64{}, ring: make([]Key, limit)}
}

func (r *recentKeys) has(key Key, now int64) bool {
	added, ok := r.times[key]
	return ok && now-added <= keyMemory.Milliseconds()
}

func (r *recentKeys) add(key Key, now int64) {
	if _, ok := r.times[key]; ok {
		r.times[key] = now
		return
	}
	if r.count == len(r.ring) {
		delete(r.times, r.ring[r.oldest])
		r.ring[r.oldest] = Key{}
		r.oldest = (r.oldest + 1) % len(r.ring)
		r.count--
	}
	r.ring[(r.oldest+r.count)%len(r.ring)] = key
	r.count++
	r.times[key] = now
}

// forget takes back the key of an entry that did not become durable. Its place in the ring stays.
func (r *recentKeys) forget(key Key) { delete(r.times, key) }
