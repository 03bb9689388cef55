package chunk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// claims keeps very large payloads in a cache.
type claims struct {
	res       *service.Resources
	cache     string
	threshold int
}

func claimsFrom(p fields.Reader, res *service.Resources) claims {
	c := claims{res: res, cache: p.Text(cfCache), threshold: sizeFrom(p, cfThreshold)}
	if c.cache != "" && !res.HasCache(c.cache) {
		p.Keep(fmt.Errorf("reading %s.%s: there is no cache %q", cfClaimCheck, cfCache, c.cache))
	}
	return c
}

func (c *claims) wants(size int) bool { return c.cache != "" && size > c.threshold }

// put stores the payload; the same again is no error.
func (c *claims) put(ctx context.Context, key string, body []byte) (err error) {
	accessed := c.res.AccessCache(ctx, c.cache, func(cache service.Cache) {
		err = cache.Set(ctx, key, body, nil)
	})
	return errors.Join(accessed, err)
}

// get fetches it again. What put would not have named so is not there.
func (c *claims) get(ctx context.Context, key string) (body []byte, err error) {
	if !plainKey(key) {
		return nil, service.ErrKeyNotFound
	}
	accessed := c.res.AccessCache(ctx, c.cache, func(cache service.Cache) {
		body, err = cache.Get(ctx, key)
	})
	return body, errors.Join(accessed, err)
}

// maxKey is the most bytes of a key: it is the name of a file where a cache keeps files.
const maxKey = 128

// plainKey says whether a name is one in every cache: an id may be a header that
// anybody writes, and a cache of files goes where its keys lead.
func plainKey(key string) bool {
	if key == "" || len(key) > maxKey || key[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
	})
}

// keyOf is where a payload is kept: its id, or the id's hash.
func keyOf(id string) string {
	if plainKey(id) {
		return id
	}
	return checksum([]byte(id))
}

// claim passes on a note instead of the payload.
func (c *chunker) claim(ctx context.Context, m *service.Message, body []byte) (service.MessageBatch, error) {
	id, err := c.idOf(m, body)
	if err != nil {
		return nil, err
	}
	key := keyOf(id)
	if err := c.claims.put(ctx, key, body); err != nil {
		return nil, fmt.Errorf("storing a payload of %d bytes in cache %s: %w", len(body), c.claims.cache, err)
	}
	note := m.Copy()
	note.SetStructuredMut(map[string]any{"claim_check": key, "bytes": len(body)})
	note.MetaSetMut(testengine.MetaClaimCheck, key)
	note.MetaSetMut(testengine.MetaPayloadBytes, int64(len(body)))
	note.MetaSetMut(testengine.MetaPayloadChecksum, checksum(body))
	c.count("claim_check", 1)
	return service.MessageBatch{note}, nil
}
