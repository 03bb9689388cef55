package chunk

import (
	"context"
	"errors"
	"fmt"

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

// get fetches it again.
func (c *claims) get(ctx context.Context, key string) (body []byte, err error) {
	accessed := c.res.AccessCache(ctx, c.cache, func(cache service.Cache) {
		body, err = cache.Get(ctx, key)
	})
	return body, errors.Join(accessed, err)
}

// claim passes on a note instead of the payload.
func (c *chunker) claim(ctx context.Context, m *service.Message, body []byte) (service.MessageBatch, error) {
	id, err := c.idOf(m, body)
	if err != nil {
		return nil, err
	}
	if err := c.claims.put(ctx, id, body); err != nil {
		return nil, fmt.Errorf("storing a payload of %d bytes in cache %s: %w", len(body), c.claims.cache, err)
	}
	note := m.Copy()
	note.SetStructuredMut(map[string]any{"claim_check": id, "bytes": len(body)})
	note.MetaSetMut(testengine.MetaClaimCheck, id)
	note.MetaSetMut(testengine.MetaPayloadBytes, int64(len(body)))
	note.MetaSetMut(testengine.MetaPayloadChecksum, checksum(body))
	c.count("claim_check", 1)
	return service.MessageBatch{note}, nil
}
