package enrich

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/lookup"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// metadata is one lookup: a file that is wholly known, or a cache that is asked
// in the background.
type metadata struct {
	config  lookupConfig
	res     *service.Resources
	results *service.MetricCounter

	file       atomic.Pointer[map[string][]testengine.Tag]
	remembered *lookup.Cache
	wanted     chan string
	now        func() time.Time
}

const (
	// fetchers is how many keys of a lookup are asked for at a time.
	fetchers = 4
	// maxWanted keys may wait; what does not fit is asked for by a later block.
	maxWanted = 1024
)

func newMetadata(config lookupConfig, res *service.Resources, results *service.MetricCounter, watch *watcher) (*metadata, error) {
	m := &metadata{config: config, res: res, results: results, now: time.Now}
	if config.file != "" {
		return m, watch.add("lookup_"+config.name, config.file, m.load)
	}
	if !res.HasCache(config.cache) {
		return nil, fmt.Errorf("looking for the cache resource %q of lookup %s: there is none", config.cache, config.name)
	}
	m.remembered, m.wanted = lookup.New(config.remember), make(chan string, maxWanted)
	return m, nil
}

// load reads the file: an object of tags for each key.
func (m *metadata) load(content []byte) error {
	var objects map[string]map[string]any
	if err := yaml.Unmarshal(content, &objects); err != nil {
		return err
	}
	all := make(map[string][]testengine.Tag, len(objects))
	for key, object := range objects {
		all[key] = m.cut(lookup.Tags(object, m.config.prefix))
	}
	m.file.Store(&all)
	return nil
}

func (m *metadata) cut(tags []testengine.Tag) []testengine.Tag {
	return tags[:min(len(tags), m.config.maxTags)]
}

// tags returns what is known of the block's key, and has the rest fetched.
func (m *metadata) tags(block *service.Message) []testengine.Tag {
	key, err := m.config.key.TryString(block)
	if err != nil || key == "" {
		m.results.Incr(1, m.config.name, "failed")
		return nil
	}
	if all := m.file.Load(); all != nil {
		tags, found := (*all)[key]
		m.count(found, "hit", "absent")
		return tags
	}
	tags, known, fetch := m.remembered.Get(key, m.now())
	m.count(known, "hit", "miss")
	if !fetch {
		return tags
	}
	select {
	case m.wanted <- key:
	default:
		m.remembered.Forget(key)
		m.results.Incr(1, m.config.name, "busy")
	}
	return tags
}

func (m *metadata) count(yes bool, word, otherwise string) {
	if !yes {
		word = otherwise
	}
	m.results.Incr(1, m.config.name, word)
}

// start runs the fetchers until the context ends.
func (m *metadata) start(ctx context.Context, workers *sync.WaitGroup) {
	if m.wanted == nil {
		return
	}
	for range fetchers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case key := <-m.wanted:
					m.fetch(ctx, key)
				}
			}
		})
	}
}

// ask goes to the cache outside of AccessCache, which would keep a hanging
// source from ever being closed.
func (m *metadata) ask(ctx context.Context, key string) ([]testengine.Tag, error) {
	var source service.Cache
	if err := m.res.AccessCache(ctx, m.config.cache, func(c service.Cache) { source = c }); err != nil {
		return nil, err
	}
	raw, err := source.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return lookup.Parse(raw, m.config.prefix)
}

// fetch asks the source once and keeps what it says.
func (m *metadata) fetch(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, m.config.timeout)
	defer cancel()
	tags, err := m.ask(ctx, key)
	switch {
	case errors.Is(err, service.ErrKeyNotFound):
		m.remembered.Put(key, nil, m.now())
		m.results.Incr(1, m.config.name, "absent")
	case err != nil:
		m.remembered.Fail(key, m.now())
		m.results.Incr(1, m.config.name, "failed")
		if ctx.Err() == nil {
			m.res.Logger().Debugf("looking up %s of %s: %v", key, m.config.name, err)
		}
	default:
		m.remembered.Put(key, m.cut(tags), m.now())
		m.results.Incr(1, m.config.name, "found")
	}
}
