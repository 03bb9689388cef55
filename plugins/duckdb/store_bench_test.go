package duckdb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

const benchLanes = 4

// benchUploads are decoded uploads as quickstart hands them to the output, two suites a lane.
func benchUploads(tb testing.TB, seeds int) (uploads [2 * benchLanes][]assemble.Result) {
	tb.Helper()
	for seed := range seeds {
		body := bodies.Generate(uint64(seed), bodies.MB1)
		for suite := range uploads {
			facts := assemble.Facts{Org: "acme", Suite: fmt.Sprintf("suite-%d", suite), DefaultBranch: "main", Bytes: len(body)}
			result := formats.Decode(facts, "application/json", body, assemble.DefaultLimits())
			require.False(tb, result.Refused)
			for _, block := range result.Blocks {
				block.Annotations = &testengine.Annotations{Signatures: map[int]testengine.Signature{}}
				for i := range block.Executions {
					if e := &block.Executions[i]; e.Result == testengine.ResultFailed {
						block.Annotations.Signatures[i] = signature.Of(e.FailureReason, e.FailureExpanded())
					}
				}
			}
			uploads[suite] = append(uploads[suite], result)
		}
	}
	return uploads
}

// benchMessages are the upload's messages as record offset of a lane.
func benchMessages(upload assemble.Result, lane int, offset int64) (batch service.MessageBatch) {
	r := record{position: testengine.Position{LogID: testLog, Partition: lane, Offset: offset}}
	facts := *upload.Blocks[0].Upload
	facts.ID = fmt.Sprintf("up_%032x_%d", offset, lane)
	facts.Time, facts.ReceivedAt = 1_760_000_000_000+offset*20, 1_760_000_000_000+offset*20
	facts.RunKey = fmt.Sprintf("%036d", offset)
	facts.RunID = testengine.RunID(facts.SuiteSeed(), facts.RunKey)
	r.upload = &facts
	for _, block := range upload.Blocks {
		one := *block
		one.Position, one.Upload = r.position, r.upload
		batch = append(batch, r.message(testengine.KindBlock, &one))
	}
	batch = append(batch, r.message(testengine.KindRun, &testengine.Run{
		ID: "event_" + facts.RunID, RunID: facts.RunID, RunKey: facts.RunKey, Event: testengine.RunOpened,
		Org: facts.Org, Suite: facts.Suite, Branch: facts.Branch, CommitSHA: facts.CommitSHA, Time: facts.Time, Uploads: 1,
	}))
	report := *upload.Report
	report.Position, report.UploadID, report.RunID, report.RunKey = r.position, facts.ID, facts.RunID, facts.RunKey
	report.Time, report.ReceivedAt = facts.Time, facts.ReceivedAt
	return append(batch, r.message(testengine.KindUploadReport, &report))
}

// BenchmarkStore stores uploads of 1 MB, so many of each of four lanes in one
// transaction. An operation is one upload.
func BenchmarkStore(b *testing.B) {
	uploads := benchUploads(b, 4)
	for _, each := range []int{4, 12, 46} {
		b.Run(fmt.Sprintf("%d uploads of each lane", each), func(b *testing.B) {
			d := openDatabase(b, testSettings(databasePath(b)))
			before := cputime.Used(b)
			b.ResetTimer()
			executions := 0
			for written := 0; written < b.N; written += benchLanes * each {
				var batch service.MessageBatch
				for i := range benchLanes * each {
					lane, offset := i%benchLanes, int64((written+i)/benchLanes)
					suite := uploads[2*lane+int(offset)%2]
					batch = append(batch, benchMessages(suite[int(offset)%len(suite)], lane, offset)...)
					executions += 1700
				}
				require.NoError(b, d.write(b.Context(), batch))
			}
			b.ReportMetric(float64((cputime.Used(b)-before).Nanoseconds())/float64(executions), "nsCPU/execution")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(executions), "ns/execution")
		})
	}
}
