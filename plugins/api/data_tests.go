package api

import (
	"net/http"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// suites lists the suites of an organisation that the reader may see.
func (s *site) suites(c *call) error {
	paging, err := c.paging()
	if err != nil {
		return err
	}
	all, err := s.visible(c)
	if err != nil {
		return err
	}
	list := []suiteJSON{}
	for _, suite := range all {
		if suite.Org == c.key.Org {
			list = append(list, s.suiteToJSON(suite))
		}
	}
	s.linkHeader(c, paging, len(list))
	from := min(paging.Offset(), len(list))
	return c.json(http.StatusOK, list[from:min(from+paging.Size, len(list))])
}

func (s *site) suite(c *call) error {
	facts, err := s.suiteFacts(c)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.suiteToJSON(facts))
}

func (s *site) tests(c *call) error {
	found, err := s.findTests(c, query.OrderDurationAvg, nil)
	if err != nil {
		return err
	}
	list := make([]testJSON, 0, len(found))
	for i := range found {
		list = append(list, s.testToJSON(&found[i]))
	}
	return c.json(http.StatusOK, list)
}

func (s *site) flakyTests(c *call) error {
	found, err := s.findTests(c, query.OrderBadness, []query.State{query.StateFlaky})
	if err != nil {
		return err
	}
	list := make([]flakyJSON, 0, len(found))
	for i := range found {
		t := &found[i]
		list = append(list, flakyJSON{
			testJSON: s.testToJSON(t), Instances: t.Counts.Failed, LatestOccurrenceAt: testengine.Time(t.LastFailureAt),
			MostRecentInstanceAt: testengine.Time(t.LastFailureAt), OwnershipTeamIDs: []string{},
		})
	}
	return c.json(http.StatusOK, list)
}

func (s *site) findTests(c *call, order query.TestOrder, fallback []query.State) ([]query.Test, error) {
	q, none, err := s.testQuery(c, order)
	if err != nil {
		return nil, err
	}
	if len(q.States) == 0 {
		q.States = fallback
	}
	var found query.Page[query.Test]
	if !none {
		if found, err = s.store.Tests(c.ctx, q); err != nil {
			return nil, err
		}
	}
	s.linkHeader(c, q.Paging, found.Total)
	return found.Items, nil
}

func (s *site) test(c *call) error {
	id, err := testID(c)
	if err != nil {
		return err
	}
	within, err := s.within(c, defaultPeriod)
	if err != nil {
		return err
	}
	t, err := s.store.Test(c.ctx, c.key, id, within)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.testToJSON(&t))
}

func testID(c *call) (uint64, error) {
	text := c.r.PathValue("id")
	id, err := testengine.ParseID(text)
	if err != nil || len(text) != 16 {
		return 0, query.ErrNotFound
	}
	return id, nil
}
