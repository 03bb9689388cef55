package chunk

import (
	"context"
	"errors"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// claims keeps very large payloads in a cache.
type claims struct {
	res       *service.Resources
	cache     string
	threshold int
}

func claimsFromParsed(conf *service.ParsedConfig, res *service.Resources) (c claims, err error) {
	c.res = res
	if c.cache, err = conf.FieldString(cfCache); err != nil {
		return c, err
	}
	if c.cache != "" && !res.HasCache(c.cache) {
		return c, fmt.Errorf("reading %s.%s: there is no cache %q", cfClaimCheck, cfCache, c.cache)
	}
	c.threshold, err = sizeFromParsed(conf, cfThreshold)
	return c, err
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
