package api

import (
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// factsCache keeps the list of suites until the store commits again.
type factsCache struct {
	mu      sync.Mutex
	changed <-chan struct{}
	suites  []query.Suite
}

// allSuites lists the suites of the store and those that may upload and have
// not yet, by name.
func (s *site) allSuites(c *call) ([]query.Suite, error) {
	stored, err := s.storedSuites(c)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(stored)
	if directory := s.door.Directory(); directory != nil {
		for _, known := range directory.Suites() {
			key := query.SuiteKey{Org: known.Organization, Suite: known.Name}
			i := slices.IndexFunc(list, func(q query.Suite) bool { return q.SuiteKey == key })
			if i < 0 {
				i = len(list)
				list = append(list, query.Suite{SuiteKey: key, ByState: map[query.State]int{}})
			}
			if known.DefaultBranch != "" {
				list[i].DefaultBranch = known.DefaultBranch
			}
		}
	}
	return list, nil
}

func (s *site) storedSuites(c *call) ([]query.Suite, error) {
	s.facts.mu.Lock()
	defer s.facts.mu.Unlock()
	if s.facts.changed != nil {
		select {
		case <-s.facts.changed:
		default:
			return s.facts.suites, nil
		}
	}
	changed := s.store.Follow()
	suites, err := s.store.Suites(c.ctx)
	if err != nil {
		return nil, err
	}
	s.facts.changed, s.facts.suites = changed, suites
	return suites, nil
}

// visible are the suites this reader may see.
func (s *site) visible(c *call) ([]query.Suite, error) {
	list, err := s.allSuites(c)
	if err != nil || !s.needsToken(c.r) {
		return list, err
	}
	return slices.DeleteFunc(list, func(q query.Suite) bool {
		mine := c.who != nil && c.who.Org == q.Org && c.who.Suite == q.Suite
		return !mine && !s.public(q.SuiteKey)
	}), nil
}

// suiteFacts are the facts of the call's suite, or ErrNotFound when nobody knows it.
func (s *site) suiteFacts(c *call) (query.Suite, error) {
	list, err := s.allSuites(c)
	if err != nil {
		return query.Suite{}, err
	}
	for _, suite := range list {
		if suite.SuiteKey == c.key {
			return suite, nil
		}
	}
	return query.Suite{}, query.ErrNotFound
}

// known refuses suites nobody knows. Those of the directory cost nothing.
func (s *site) known(c *call) error {
	directory := s.door.Directory()
	if c.key.Suite == "" || directory != nil && slices.ContainsFunc(directory.Suites(), func(t tenant.Suite) bool {
		return t.Organization == c.key.Org && t.Name == c.key.Suite
	}) {
		return nil
	}
	if _, err := s.suiteFacts(c); err != nil {
		if errors.Is(err, query.ErrNotFound) {
			return &problem{http.StatusNotFound, "there is no suite " + c.key.Org + "/" + c.key.Suite + "; make it with: connect-testengine suite add " + c.key.Org + "/" + c.key.Suite}
		}
		return err
	}
	return nil
}
