package events

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestFieldsOfAnExecution(t *testing.T) {
	block := &testengine.Block{
		Upload: &testengine.Upload{Org: "acme", Suite: "web", Branch: "main", Time: 1000, ReceivedAt: 999, Tags: []testengine.Tag{
			{Key: "host.type", Value: "vm"}, {Key: "region", Value: "eu"}, {Key: "team", Value: "upload"},
		}},
		Executions: []testengine.Execution{
			{TestID: 7, Scope: "Cart", Name: "adds", Result: testengine.ResultFailed, Duration: 1.5, HasDuration: true, Tags: []testengine.Tag{{Key: "host.type", Value: "arm"}}},
			{Name: "removes", Result: testengine.ResultPassed, StartedAt: 500},
		},
		Annotations: &testengine.Annotations{
			Tags: []testengine.Tag{{Key: "region", Value: "us"}}, OwnerNames: []string{"checkout"}, Owners: []int32{-1, 0},
			Executions: map[int][]testengine.Tag{1: {{Key: "team", Value: "mine"}}},
		},
	}
	names := []string{"suite", "branch", "name", "result", "failed", "duration", "host.type", "region", "team", "owner", "none", "test_id", "commit_sha"}
	fields := NewFields()
	for _, name := range names {
		fields.Add(name)
	}
	b := NewBlock(fields)
	b.Reset(block)
	row := func(i int) (at int64, row []string) {
		at = b.Read(i)
		for n := range b.Values {
			row = append(row, string(b.Values[n].AppendText(nil)))
		}
		return at, row
	}
	at, first := row(0)
	require.EqualValues(t, 1000, at, "without a clock of its own an execution has its record's time")
	require.Equal(t, []string{"web", "main", "adds", "failed", "1", "1.5", "arm", "us", "upload", "", "", "0000000000000007", ""}, first)
	at, second := row(1)
	require.EqualValues(t, 500, at)
	require.Equal(t, []string{"web", "main", "removes", "passed", "0", "", "vm", "us", "mine", "checkout", "", "0000000000000000", ""}, second)
	require.Equal(t, Missing, b.Values[5].Kind, "no duration is no zero")
	require.True(t, b.Values[4].Equals("0"))
	require.NotEqual(t, b.Values[4].Hash(), b.Values[3].Hash())
}
