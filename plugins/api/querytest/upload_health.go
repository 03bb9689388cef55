package querytest

import (
	"context"
	"maps"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

const hour = 3_600_000

// UploadHealth adds up the reports. The duplicates of an upload count in the
// hour of its first delivery: the store knows no other of them.
func (s *Store) UploadHealth(ctx context.Context, q query.UploadHealthQuery) (h query.UploadHealth, err error) {
	done, err := s.read(ctx)
	if err != nil {
		return h, err
	}
	defer done()
	hours := map[int64]*query.UploadHour{}
	collectors := map[[2]string]*query.CollectorUse{}
	var accepted []int
	var problems query.Problems
	for i := range s.UploadList {
		u := &s.UploadList[i]
		if !in(q.SuiteKey, u.Org, u.Suite) {
			continue
		}
		h.LastUploadAt = max(h.LastUploadAt, u.Time)
		if !within(q.Range, u.Time) {
			continue
		}
		tally := OfUpload(u)
		tally.Duplicates = u.Duplicates
		at := u.Time - u.Time%hour
		if hours[at] == nil {
			hours[at] = &query.UploadHour{At: at}
		}
		hours[at].Add(&tally)
		h.Total.Add(&tally)
		if u.Accepted > 0 {
			accepted = append(accepted, u.Accepted)
		}
		problems.Add(u.UploadID, u.Time, u.ProblemCounts)
		use(collectors, u)
	}
	for _, at := range slices.Sorted(maps.Keys(hours)) {
		h.Hours = append(h.Hours, *hours[at])
	}
	for _, c := range collectors {
		h.Collectors = append(h.Collectors, *c)
	}
	query.SortCollectors(h.Collectors)
	h.PerUpload = perUpload(accepted)
	h.Problems, h.ProblemKinds = problems.Most(q.Problems)
	s.illustrate(q.SuiteKey, h.Problems)
	return h, nil
}

func use(collectors map[[2]string]*query.CollectorUse, u *query.Upload) {
	key := [2]string{u.Collector, u.CollectorVersion}
	if collectors[key] == nil {
		collectors[key] = &query.CollectorUse{Name: u.Collector, Version: u.CollectorVersion}
	}
	c := collectors[key]
	c.Uploads++
	c.LastAt = max(c.LastAt, u.Time)
}

func (s *Store) illustrate(key query.SuiteKey, groups []query.ProblemGroup) {
	for i := range groups {
		for j := range s.UploadList {
			if u := &s.UploadList[j]; u.UploadID == groups[i].ExampleUpload && in(key, u.Org, u.Suite) {
				groups[i].Illustrate(u.Problems)
			}
		}
	}
}

// OfUpload is what one first delivery counts.
func OfUpload(u *query.Upload) query.UploadTally {
	t := query.UploadTally{
		Uploads: 1, Received: int64(u.Received), Accepted: int64(u.Accepted), Rejected: int64(u.Rejected),
		WithoutResult: int64(u.WithoutResult), SuiteErrors: int64(u.SuiteErrors), Bytes: int64(u.Bytes),
	}
	if u.Accepted == 0 {
		t.Empty = 1
	}
	if len(u.ProblemCounts) > 0 {
		t.WithProblems = 1
	}
	return t
}

// perUpload are the order statistics of numbers of executions; it sorts the list.
func perUpload(list []int) query.ExecutionsPerUpload {
	if len(list) == 0 {
		return query.ExecutionsPerUpload{}
	}
	slices.Sort(list)
	rank := func(tenths int) int { return list[(len(list)*tenths+9)/10-1] }
	return query.ExecutionsPerUpload{Known: true, P50: rank(5), P90: rank(9), Max: list[len(list)-1]}
}
