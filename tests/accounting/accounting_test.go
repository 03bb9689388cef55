// Package accounting holds that the numbers add up: what was sent, the reports
// of the uploads, the health of a suite and the counters say the same.
package accounting

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	deliveries = 60
	began      = 1_760_000_000_000
	step       = 1_300_000 // ms between deliveries
)

var suite = query.SuiteKey{Org: "acme", Suite: "unit"}

func TestNumbersAlwaysAddUp(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { addUp(t, seed) })
	}
}

func addUp(t *testing.T, seed uint64) {
	in, counted, store := pipeline(t)
	before := counted.get("testengine_decode_uploads_total|decoded")
	rng := rand.New(rand.NewPCG(seed, 5))
	uploads := map[string]*sent{}
	var bodies []*sent
	var want query.UploadTally
	again := map[string]int{}
	for i := range deliveries {
		var s *sent
		if len(bodies) > 0 && rng.IntN(4) == 0 {
			s = bodies[rng.IntN(len(bodies))]
		} else {
			fresh := generate(rng, i)
			s = &fresh
			bodies = append(bodies, s)
		}
		id := message.UploadID(suite.Org, suite.Suite, s.body)
		if uploads[id] == nil {
			uploads[id] = s
			want.Add(&s.want)
		} else {
			again[id]++
			want.Duplicates++
		}
		m := service.NewMessage(s.body)
		m.MetaSetMut(testengine.MetaContentType, s.contentType)
		if s.encoding != "" {
			m.MetaSetMut(testengine.MetaContentEncoding, s.encoding)
		}
		in.give(m, suite.Suite, began+int64(i)*step)
	}

	chunked := reportsAgree(t, store, uploads, again)
	require.Positive(t, chunked, "some uploads came in several pieces")
	health := healthAgrees(t, store, want)
	countersAgree(t, counted, health, uploads, before)
}

// reportsAgree compares every upload's report with what was sent.
func reportsAgree(t *testing.T, store query.Store, uploads map[string]*sent, again map[string]int) (chunked int) {
	t.Helper()
	for id, s := range uploads {
		u, err := store.Upload(t.Context(), suite, id)
		require.NoError(t, err, "%s: %d bytes, %s, %+v", id, len(s.body), s.contentType, s.want)
		require.Equal(t, u.Received, u.Accepted+u.Rejected)
		got := querytest.OfUpload(&u)
		got.WithProblems, got.Bytes = 0, s.want.Bytes // the bytes of pieces are theirs
		require.Equal(t, s.want, got, "%s in %d pieces", id, u.Chunks)
		require.Equal(t, again[id], u.Duplicates, "%s in %d pieces", id, u.Chunks)
		if u.Chunks > 1 {
			chunked++
		}
		if s.broken {
			require.Equal(t, -1, u.Problems[0].Index)
			require.Equal(t, "body", u.Problems[0].Field)
			continue
		}
		var rejected []int
		for _, problem := range u.Problems {
			if problem.Field == "name" || problem.Field == "record" {
				rejected = append(rejected, problem.Index)
				require.NotEmpty(t, problem.Reason)
				require.NotEmpty(t, problem.Snippet)
			}
		}
		if len(s.rejects) < 100 { // each piece names its first hundred
			require.Equal(t, s.rejects, rejected, "the indexes are those of the whole upload: %s in %d pieces", id, u.Chunks)
		}
	}
	return chunked
}

func healthAgrees(t *testing.T, store query.Store, want query.UploadTally) query.UploadHealth {
	t.Helper()
	health, err := store.UploadHealth(t.Context(), query.UploadHealthQuery{SuiteKey: suite})
	require.NoError(t, err)
	list, err := store.Uploads(t.Context(), query.UploadQuery{SuiteKey: suite, Paging: query.Paging{Number: 1, Size: 10 * deliveries}})
	require.NoError(t, err)
	var sum query.UploadTally
	for i := range list.Items {
		one := querytest.OfUpload(&list.Items[i])
		one.Duplicates = list.Items[i].Duplicates
		sum.Add(&one)
	}
	require.Equal(t, sum, health.Total, "the uploads add up to the health")
	want.WithProblems, want.Bytes = health.Total.WithProblems, health.Total.Bytes
	require.Equal(t, want, health.Total, "and both to what was sent")
	var hours query.UploadTally
	for i := range health.Hours {
		hours.Add(&health.Hours[i].UploadTally)
	}
	require.Equal(t, health.Total, hours)

	rows, err := store.Slice(t.Context(), query.Slice{SuiteKey: suite, Measures: []query.Measure{query.Executions}, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, [][]any{{want.Accepted}}, rows.Rows, "every accepted execution is a row, and nothing else is")
	return health
}

func countersAgree(t *testing.T, counted *counts, health query.UploadHealth, uploads map[string]*sent, before int64) {
	t.Helper()
	refused := int64(0)
	for _, s := range uploads {
		if s.broken {
			refused++
		}
	}
	total := health.Total
	require.Equal(t, int64(total.Uploads)-refused, counted.get("testengine_decode_uploads_total|decoded")-before)
	require.Equal(t, refused, counted.get("testengine_decode_uploads_total|refused"))
	require.Equal(t, int64(total.Duplicates), counted.get("testengine_decode_uploads_total|duplicate"))
	require.Equal(t, total.Accepted, counted.get("testengine_decode_executions_total|accepted"))
	require.Equal(t, total.Rejected, counted.get("testengine_decode_executions_total|rejected"))
	require.Equal(t, total.WithoutResult, counted.get("testengine_decode_executions_without_result_total"))
	rejected := int64(0)
	for _, problem := range health.Problems {
		n := counted.get("testengine_decode_problems_total|" + problem.Field + "|" + problem.Reason)
		switch problem.Field {
		case "body": // a counter does not say how a body breaks
		case "run_env.key": // the first message of the stream has none either
		default:
			require.Equal(t, int64(problem.Count), n, problem.Reason)
		}
		if problem.Field == "name" || problem.Field == "record" {
			rejected += n
		}
	}
	require.Equal(t, refused, counted.sum("testengine_decode_problems_total|body|"))
	require.Equal(t, total.Rejected, rejected, "every rejected record has its reason")
}
