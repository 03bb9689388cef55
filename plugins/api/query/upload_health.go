package query

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// UploadHealthQuery asks how the uploads of a suite fared.
type UploadHealthQuery struct {
	SuiteKey
	Range Range
	// Problems is the greatest number of groups of problems; 0 is all.
	Problems int
}

// UploadHealth says how uploads fared over a stretch of log time. The hours add
// up to Total, and so do the uploads of the collectors.
type UploadHealth struct {
	Total UploadTally
	// Hours are those of UTC in which something came, oldest first.
	Hours []UploadHour
	// Problems are the most frequent first; ProblemKinds counts all there are.
	Problems     []ProblemGroup
	ProblemKinds int
	// PerUpload is of the uploads of which something was accepted.
	PerUpload ExecutionsPerUpload
	// Collectors are those of the uploads, the one that sent most first.
	Collectors []CollectorUse
	// LastUploadAt is the suite's last delivery, whatever the range.
	LastUploadAt int64
}

// UploadTally counts. Received = Accepted + Rejected.
type UploadTally struct {
	// Uploads are first deliveries, Duplicates those of a body that had come before.
	Uploads, Duplicates int
	// Empty counts uploads of which no execution was accepted, WithProblems those
	// whose report names a problem.
	Empty, WithProblems int
	// The rest are executions of first deliveries.
	Received, Accepted, Rejected, WithoutResult, SuiteErrors int64
	// Bytes are those of first deliveries, as sent.
	Bytes int64
}

// UploadHour is what came in one hour of UTC; At is its begin.
type UploadHour struct {
	At int64
	UploadTally
}

// ExecutionsPerUpload are order statistics: the smallest number that at least
// half (nine tenths, all) of the uploads do not exceed. Known is false when there were none.
type ExecutionsPerUpload struct {
	Known         bool
	P50, P90, Max int
}

// CollectorUse is one collector in one version; both are "" where they were not sent.
type CollectorUse struct {
	Name, Version string
	Uploads       int
	LastAt        int64
}

// ProblemGroup is one field and reason in the reports of several uploads.
type ProblemGroup struct {
	Field, Reason string
	// Count is how often it occurred, Uploads in how many uploads.
	Count, Uploads int
	LastAt         int64
	// Example is where it stood in the newest of them: Index is -1 when it is of
	// the upload itself, or further behind than the report names problems.
	ExampleUpload string
	Example       testengine.Problem
}

// Problems adds up the counts of reports into groups. Give it reports in any
// order; it keeps no more than one example a group.
type Problems struct {
	groups map[string]*ProblemGroup
}

// Add takes the counts of one upload's report, by "field: reason".
func (p *Problems) Add(uploadID string, at int64, counts map[string]int) {
	if p.groups == nil {
		p.groups = map[string]*ProblemGroup{}
	}
	mine := map[string]bool{}
	for text, n := range counts {
		key := groupOf(text)
		g := p.groups[key]
		if g == nil {
			g = &ProblemGroup{}
			g.Field, g.Reason, _ = strings.Cut(key, ": ")
			p.groups[key] = g
		}
		g.Count += n
		if !mine[key] {
			mine[key] = true
			g.Uploads++
		}
		if at > g.LastAt || at == g.LastAt && uploadID > g.ExampleUpload {
			g.LastAt, g.ExampleUpload = at, uploadID
		}
	}
}

// Most returns the most frequent groups (all, when limit is 0), and how many there are.
func (p *Problems) Most(limit int) (list []ProblemGroup, kinds int) {
	for _, g := range p.groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b ProblemGroup) int {
		return cmp.Or(b.Count-a.Count, b.Uploads-a.Uploads, cmp.Compare(a.Field+": "+a.Reason, b.Field+": "+b.Reason))
	})
	if limit > 0 && len(list) > limit {
		return list[:limit], len(list)
	}
	return list, len(list)
}

// Illustrate fills in the example from the report of ExampleUpload.
func (g *ProblemGroup) Illustrate(problems []testengine.Problem) {
	g.Example = testengine.Problem{Index: -1, Field: g.Field, Reason: g.Reason}
	for _, problem := range problems {
		if groupOf(problem.Field+": "+problem.Reason) == g.Field+": "+g.Reason {
			g.Example = problem
			return
		}
	}
}

// groupOf leaves out of a problem where in the body it was: a body that is
// broken at byte 40 and one that is broken at byte 900 have the same trouble.
func groupOf(text string) string {
	const place = " at byte "
	before, rest, found := strings.Cut(text, place)
	if !found {
		return text
	}
	return before + strings.TrimLeft(rest, "0123456789")
}

// Add takes the numbers of another tally.
func (t *UploadTally) Add(other *UploadTally) {
	t.Uploads += other.Uploads
	t.Duplicates += other.Duplicates
	t.Empty += other.Empty
	t.WithProblems += other.WithProblems
	t.Received += other.Received
	t.Accepted += other.Accepted
	t.Rejected += other.Rejected
	t.WithoutResult += other.WithoutResult
	t.SuiteErrors += other.SuiteErrors
	t.Bytes += other.Bytes
}

// SortCollectors puts the one that sent most first.
func SortCollectors(list []CollectorUse) {
	slices.SortFunc(list, func(a, b CollectorUse) int {
		return cmp.Or(b.Uploads-a.Uploads, cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
}

// Examples are the uploads whose reports illustrate the groups, each once.
func Examples(groups []ProblemGroup) []string {
	ids := map[string]bool{}
	for i := range groups {
		ids[groups[i].ExampleUpload] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
