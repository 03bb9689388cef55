package api

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

func (s *site) uploads(c *call) error {
	q, err := s.uploadQuery(c)
	if err != nil {
		return err
	}
	found, err := s.store.Uploads(c.ctx, q)
	if err != nil {
		return err
	}
	s.linkHeader(c, q.Paging, found.Total)
	list := make([]uploadJSON, 0, len(found.Items))
	for i := range found.Items {
		list = append(list, s.uploadToJSON(c.key, &found.Items[i]))
	}
	return c.json(http.StatusOK, list)
}

func (s *site) uploadQuery(c *call) (q query.UploadQuery, err error) {
	values := c.r.URL.Query()
	q = query.UploadQuery{SuiteKey: c.key, RunID: values.Get("run_id")}
	if q.WithProblems, err = c.truth("problems"); err != nil {
		return q, err
	}
	if q.Range, err = s.withinIfAsked(c); err != nil {
		return q, err
	}
	q.Paging, err = c.paging()
	return q, err
}

var uploadIDs = regexp.MustCompile(`^up_[0-9a-z]{26}$`)

// upload answers what upload_url of a 202 points to. Between the 202 and the
// commit the store does not know the id yet, so an id of the right form is
// answered as pending, with 200: a collector that follows the link at once must
// not read that its upload is lost.
func (s *site) upload(c *call) error {
	id := c.r.PathValue("id")
	u, err := s.store.Upload(c.ctx, c.key, id)
	if errors.Is(err, query.ErrNotFound) && uploadIDs.MatchString(id) {
		base := s.door.BaseURL()
		return c.json(http.StatusOK, uploadJSON{
			ID: id, State: "pending", URL: base + page.APIPath(c.key, "uploads", id), WebURL: base + page.SuitePath(c.key, "uploads", id),
			Message: "the upload is in the log and not processed yet, or there is none of this id; ask again in a moment",
		})
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.uploadToJSON(c.key, &u))
}
