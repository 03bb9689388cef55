package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/tests/histories/adversary"
)

const organization = "local"

// judge plays a world as the back-test does and returns what detection was asked
// to judge, with the truth beside it.
func judge(w *adversary.World) (rows []row, err error) {
	tests := map[string]*adversary.Test{}
	for _, s := range w.Suites {
		for _, t := range s.Tests {
			tests[s.Name+"|"+t.Scope+"|"+t.Name+"|"+t.File] = t
		}
	}
	settings := detect.DefaultSettings()
	table, err := state.NewMemory().Table(context.Background(), "flaky_detect", 0, settings.Logic())
	if err != nil {
		return nil, fmt.Errorf("making the state: %w", err)
	}
	engine := detect.New(table, settings, func(x *testengine.Execution) testengine.Signature {
		return signature.Of(x.FailureReason, x.FailureExpanded())
	})
	told := map[*adversary.Test]int{}
	engine.Trace(func(j detect.Judgement) {
		t := tests[j.Suite+"|"+strings.TrimSpace(j.Scope)+"|"+j.Name+"|"+j.File]
		if t == nil || told[t] == judgements {
			return
		}
		told[t]++
		r := row{terms: j.Terms, flaky: t.Kind != "", weight: 1}
		if j.Probability < near {
			r.weight = far
		}
		rows = append(rows, r)
	})
	seen := map[string]bool{}
	last := int64(0)
	for i := range w.Lines {
		l := &w.Lines[i]
		last = max(last, l.ReceivedAt)
		id := message.UploadID(organization, l.Suite, l.Body)
		if seen[id] {
			continue
		}
		seen[id] = true
		result := formats.Decode(assemble.Facts{
			Position: testengine.Position{LogID: "fit", Offset: int64(i)}, UploadID: id, Org: organization, Suite: l.Suite,
			DefaultBranch: "main", ReceivedAt: l.ReceivedAt, Time: last,
		}, "", l.Body, assemble.DefaultLimits())
		if result.Refused {
			return nil, fmt.Errorf("decoding line %d: %w", i, result.Cause)
		}
		if err := record(table, engine, int64(i), last, result.Blocks); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// record is one record of the log.
func record(table *state.Table, engine *detect.Engine, offset, at int64, blocks []*testengine.Block) error {
	if err := table.Begin(offset, at); err != nil {
		return fmt.Errorf("beginning record %d: %w", offset, err)
	}
	engine.Advance(at)
	for _, block := range blocks {
		engine.Block(block)
	}
	engine.Events()
	engine.Flush()
	if err := table.End(); err != nil {
		return fmt.Errorf("ending record %d: %w", offset, err)
	}
	return nil
}
