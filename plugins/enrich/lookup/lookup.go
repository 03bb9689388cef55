// Package lookup remembers what a source of metadata said of a key. It never
// waits for the source: what is not known yet, or cannot be had, is answered
// with nothing, and somebody is asked to fetch it.
package lookup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Options bound what is remembered.
type Options struct {
	// TTL is how long an answer holds, NegativeTTL how long the lack of one, or a failure.
	TTL, NegativeTTL time.Duration
	// MaxEntries is the number of keys remembered.
	MaxEntries int
}

// Cache is safe for concurrent use.
type Cache struct {
	options Options
	mutex   sync.Mutex
	entries map[string]entry
}

type entry struct {
	tags    []testengine.Tag
	until   time.Time
	pending bool
}

// New makes an empty cache.
func New(o Options) *Cache { return &Cache{options: o, entries: map[string]entry{}} }

// Get returns what is known of the key. With fetch the caller has to ask the
// source and to call Put, Fail or Forget; until then nobody else is told to. What
// has expired is returned until something newer is known.
func (c *Cache) Get(key string, now time.Time) (tags []testengine.Tag, known, fetch bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	e, known := c.entries[key]
	if known && (e.pending || now.Before(e.until)) {
		return e.tags, !e.until.IsZero(), false
	}
	if !known {
		c.makeRoom(now)
		key = strings.Clone(key)
	}
	e.pending = true
	c.entries[key] = e
	return e.tags, known, true
}

// makeRoom drops what has expired, and if that is not enough any other keys but
// those that are being fetched.
func (c *Cache) makeRoom(now time.Time) {
	if len(c.entries) < c.options.MaxEntries {
		return
	}
	for key, e := range c.entries {
		if !e.pending && !now.Before(e.until) {
			delete(c.entries, key)
		}
	}
	for key, e := range c.entries {
		if len(c.entries) < c.options.MaxEntries {
			return
		}
		if !e.pending {
			delete(c.entries, key)
		}
	}
}

// Put keeps an answer; no tags are the answer that there is nothing.
func (c *Cache) Put(key string, tags []testengine.Tag, now time.Time) {
	ttl := c.options.TTL
	if len(tags) == 0 {
		ttl = c.options.NegativeTTL
	}
	c.keep(key, entry{tags: tags, until: now.Add(ttl)})
}

// Fail keeps what was known before, and has nobody ask again for a while.
func (c *Cache) Fail(key string, now time.Time) {
	c.mutex.Lock()
	before := c.entries[key]
	c.mutex.Unlock()
	c.keep(key, entry{tags: before.tags, until: now.Add(c.options.NegativeTTL)})
}

func (c *Cache) keep(key string, e entry) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.entries[key] = e
}

// Forget is for a caller that Get told to fetch the key and that cannot do it now:
// the next Get tells another one to.
func (c *Cache) Forget(key string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	e := c.entries[key]
	e.pending = false
	if e.until.IsZero() {
		delete(c.entries, key)
		return
	}
	c.entries[key] = e
}

// Len is the number of keys remembered.
func (c *Cache) Len() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return len(c.entries)
}

// Parse reads an answer: a JSON object whose values become tags, in order of
// key, with prefix in front of their keys. Objects within are joined by dots,
// lists by commas; null is left out.
func Parse(raw []byte, prefix string) ([]testengine.Tag, error) {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("reading metadata as a JSON object: %w", err)
	}
	return Tags(object, prefix), nil
}

// Tags makes tags of an object.
func Tags(object map[string]any, prefix string) []testengine.Tag {
	var tags []testengine.Tag
	for key, value := range object {
		if inner, ok := value.(map[string]any); ok {
			tags = append(tags, Tags(inner, prefix+key+".")...)
			continue
		}
		if text := textOf(value); text != "" {
			tags = append(tags, testengine.Tag{Key: prefix + key, Value: text})
		}
	}
	slices.SortFunc(tags, func(a, b testengine.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		texts := make([]string, 0, len(v))
		for _, item := range v {
			texts = append(texts, textOf(item))
		}
		return strings.Join(texts, ",")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
