package rows

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func at(offset int64) Origin {
	return Origin{Position: testengine.Position{LogID: "a", Partition: 1, Offset: offset}, Logged: true, Time: 1000 + offset}
}

func block(offset int64, first int, tags ...[]testengine.Tag) *testengine.Block {
	b := &testengine.Block{
		Position: at(offset).Position, First: first,
		Upload: &testengine.Upload{ID: fmt.Sprint("up", offset), Org: "o", Suite: "s", Time: 1000, Tags: []testengine.Tag{{Key: "os", Value: "linux"}}},
	}
	for i, own := range tags {
		b.Executions = append(b.Executions, testengine.Execution{Index: first + i, TestID: uint64(first+i) + 7, Result: testengine.ResultPassed, Tags: own})
	}
	return b
}

func TestWhatIsStoredIsDropped(t *testing.T) {
	type step struct {
		offset int64
		first  int // of a block of two executions; -1 is the report
	}
	report := -1
	for _, test := range []struct {
		name            string
		before, batch   []step
		rows, dropped   int
		next            int64
		executionsAfter int
	}{
		{"a whole record", nil, []step{{0, 0}, {0, 2}, {0, report}}, 4, 0, 1, 0},
		{"the same record again", []step{{0, 0}, {0, report}}, []step{{0, 0}, {0, report}}, 0, 2, 1, 0},
		{"the rest of a record", []step{{0, 0}}, []step{{0, 2}, {0, report}}, 2, 0, 1, 0},
		{"a record that began and comes again", []step{{0, 0}}, []step{{0, 0}, {0, 2}, {0, report}}, 2, 1, 1, 0},
		{"a record after a gap", []step{{0, 0}, {0, report}}, []step{{9, 0}, {9, report}}, 2, 0, 10, 0},
		{"a record that has no end yet", nil, []step{{3, 0}}, 2, 0, 3, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := NewBuilder(NewNames(10), Marks{})
			run := func(steps []step) {
				b.Begin()
				for _, s := range steps {
					if s.first == report {
						b.Report(at(s.offset), &testengine.UploadReport{Org: "o", Suite: "s"})
					} else {
						b.Block(at(s.offset), block(s.offset, s.first, nil, nil))
					}
				}
			}
			run(test.before)
			b.Commit()
			run(test.batch)
			require.Equal(t, test.rows, b.Facts.Len())
			require.Equal(t, test.dropped, b.Dropped)
			require.Equal(t, test.next, b.Marks().Of[1].Next)
			require.Equal(t, test.executionsAfter, b.Marks().Of[1].First)
		})
	}
}

// A request of OTLP may carry several runs: each is an upload of its own, and
// the report is the first one's, whatever a transaction holds of the record.
func TestUploadsOfOneDeliveryAreRowsOfTheirOwn(t *testing.T) {
	part := func(first, part int) *testengine.Block {
		b := block(0, first, nil, nil)
		b.Upload.Part, b.Upload.RunID = part, fmt.Sprintf("run_%016x", part+1)
		if part > 0 {
			b.Upload.ID += "-2"
		}
		return b
	}
	for _, commits := range []int{0, 1, 2} {
		b := NewBuilder(NewNames(10), Marks{})
		b.Begin()
		var stored []*Upload
		commit := func(n int) {
			if commits == n {
				stored = append(stored, b.Uploads...)
				b.Commit()
				b.Begin()
			}
		}
		b.Block(at(0), part(0, 0))
		commit(1)
		b.Block(at(0), part(2, 1))
		commit(2)
		b.Report(at(0), &testengine.UploadReport{UploadID: "up0", Org: "o", Suite: "s"})
		stored = append(stored, b.Uploads...)
		runs := map[uint32]uint64{}
		for _, up := range stored {
			if !up.Stored {
				runs[up.Number] = up.Run
			}
			if up.Report != nil {
				require.Equal(t, stored[0].Number, up.Number, "commit behind block %d", commits)
			}
		}
		require.Len(t, runs, 2)
		require.Equal(t, uint64(1), runs[stored[0].Number])
	}
}

func TestExecutionsKeepTheirNamesOnTheWayThroughATopic(t *testing.T) {
	b := NewBuilder(NewNames(10), Marks{})
	b.Begin()
	through := Origin{Position: testengine.Position{LogID: "executions", Partition: 5, Offset: 90}, Logged: true, Time: 1000}
	b.Block(through, block(3, 0, nil))
	through.Offset++
	b.Report(through, &testengine.UploadReport{Position: at(4).Position, Org: "o", Suite: "s"})
	require.Equal(t, at(3).Position, b.Uploads[0].Named)
	require.Equal(t, at(4).Position, b.Uploads[1].Named)
	require.Equal(t, int64(92), b.Marks().Of[5].Next, "the watermark is the topic's")
	require.Equal(t, "executions", b.Marks().LogID)
}

func TestWithoutCommitTheMarkStays(t *testing.T) {
	b := NewBuilder(NewNames(10), Marks{})
	for range 2 {
		b.Begin()
		b.Block(at(0), block(0, 0, nil, nil))
		b.End(at(0))
		require.Equal(t, 2, b.Facts.Len())
		require.Zero(t, b.Dropped)
	}
	require.Empty(t, b.Committed().Of)
}

func TestAnotherLogIsRefused(t *testing.T) {
	marks := Marks{LogID: "a", Of: map[int]Mark{0: {Next: 3}}}
	require.NoError(t, marks.Check("a"))
	require.ErrorContains(t, marks.Check("b"), `holds records of log "a" and cannot take those of log "b"`)
	require.NoError(t, Marks{}.Check("b"), "an empty database takes any log")
}

func TestTagsGoWhereThereIsRoom(t *testing.T) {
	tag := func(i int) []testengine.Tag { return []testengine.Tag{{Key: "k", Value: strconv.Itoa(i)}} }
	names := NewNames(2)
	b := NewBuilder(names, Marks{})
	b.Begin()
	b.Block(at(0), block(0, 0, nil, tag(1), tag(1), tag(2), tag(3), tag(4), nil, tag(2)))
	require.Equal(t, TagsSpilled, names.suites[suiteKey{"o", "s"}].mode)
	sets := names.Pending().Sets
	require.Equal(t, []testengine.Tag{{Key: "os", Value: "linux"}}, sets[0].Tags)
	require.Equal(t, []testengine.Tag{{Key: "k", Value: "1"}, {Key: "os", Value: "linux"}}, sets[1].Tags)
	require.Equal(t, tag(2), sets[2].Tags, "after one set too many only the execution's own")
	require.Equal(t, []uint32{1, 2, 2, 3, 4, 0, 0, 3}, b.Facts.TagSet)
	require.Len(t, b.ExecutionTags, 1)
	require.Equal(t, tag(4), b.ExecutionTags[0].Tags)
	require.Equal(t, uint32(5), b.ExecutionTags[0].Index)
}

func TestTheFirstOfTwoTagsWins(t *testing.T) {
	require.Equal(t, []testengine.Tag{{Key: "a", Value: "own"}, {Key: "b", Value: "upload"}}, mergeTags(
		[]testengine.Tag{{Key: "a", Value: "own"}, {Key: "a", Value: "twice"}},
		[]testengine.Tag{{Key: "b", Value: "upload"}, {Key: "a", Value: "upload"}},
	))
}

func TestDurationsAreFiniteMicroseconds(t *testing.T) {
	for _, test := range []struct {
		name    string
		seconds float64
		has     bool
		want    int64
	}{
		{"rounded to the microsecond", 0.0000015, true, 2},
		{"zero is a duration", 0, true, 0},
		{"none was sent", 3, false, NoDuration},
		{"not a number", math.NaN(), true, NoDuration},
		{"without end", math.Inf(1), true, maxMicros},
		{"far too long", 1e300, true, maxMicros},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, micros(&testengine.Execution{Duration: test.seconds, HasDuration: test.has}))
		})
	}
}

func TestTestsKeepTheirNumbers(t *testing.T) {
	index := newTestIndex()
	const n = 50_000
	id := func(i uint32) uint64 { return testengine.HashUint(1, uint64(i)) }
	for i := uint32(1); i <= n; i++ {
		require.Zero(t, index.find(id(i)))
		index.set(i, id(i), 0)
	}
	for i := uint32(1); i <= n; i++ { // in order, then against it
		require.Equal(t, i, index.find(id(i)))
		require.Equal(t, n+1-i, index.find(id(n+1-i)))
	}
}

// BenchmarkBlock turns blocks of 2,000 known tests with two tags each into columns.
func BenchmarkBlock(b *testing.B) {
	tags := make([][]testengine.Tag, 2000)
	for i := range tags {
		tags[i] = []testengine.Tag{{Key: "shard", Value: strconv.Itoa(i % 4)}, {Key: "team", Value: "checkout"}}
	}
	input := block(0, 0, tags...)
	builder := NewBuilder(NewNames(100), Marks{})
	builder.Begin()
	builder.Block(Origin{}, input)
	b.ReportAllocs()
	for b.Loop() {
		builder.Begin()
		builder.Block(Origin{}, input)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(tags)), "ns/execution")
}
