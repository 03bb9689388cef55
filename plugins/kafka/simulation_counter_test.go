//go:build synctests

package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	uploadseen "github.com/connect-testengine/connect-testengine/plugins/upload/seen"
)

// What the simulated pipeline does. A body is "suite/number". Known bodies are
// dropped (the state of upload_decode); the others are counted for each suite,
// chained over the partition, and close the suite's run some time after the last.
const (
	simWindow    = int64(24 * 3600 * 1000)
	simRunQuiet  = int64(1500)
	simChain     = uint64(1)<<63 + 1
	simSuites    = 9
	simChainMask = uint64(1)<<48 - 1
)

// simMemory is what the pipeline remembers with: a *state.Table, or the oracle's maps.
type simMemory interface {
	uploadseen.Table
}

type simOutput struct {
	kind    testengine.Kind
	content string
}

// simFire closes the runs that are due.
func simFire(m simMemory) (outputs []simOutput) {
	for {
		id, due, ok := m.Due(m.Time())
		if !ok {
			return outputs
		}
		m.CancelTimer(id)
		count, _ := m.Cell(id)
		outputs = append(outputs, simOutput{testengine.KindRun, fmt.Sprintf("closed %x at %d with %d", id, due, count)})
	}
}

// simCount is one upload that was not known.
func simCount(m simMemory, body string) []simOutput {
	suite, _, _ := strings.Cut(body, "/")
	id := testengine.Hash(0, suite) >> 1
	count, _ := m.Cell(id)
	chain, _ := m.Cell(simChain)
	chain = testengine.Hash(chain, body) & simChainMask
	m.SetCell(id, count+1)
	m.SetCell(simChain, chain)
	m.SetTimer(id, m.Time()+simRunQuiet)
	return []simOutput{{testengine.KindUploadReport, fmt.Sprintf("%s is number %d at %d after %x", body, count+1, m.Time(), chain)}}
}

// simPipeline is the processors of one worker.
type simPipeline struct {
	known  *stateful.Lanes[*state.Table]
	counts *stateful.Lanes[*simLane]
	// wrong is told what must never be.
	wrong func(template string, args ...any)
}

type simLane struct {
	table *state.Table
	fired []simOutput
}

func newSimPipeline(provider state.Provider, mgr *service.Resources, wrong func(string, ...any)) *simPipeline {
	return &simPipeline{
		wrong: wrong,
		known: stateful.Over(provider, mgr.Logger(), stateful.Memory[*state.Table]{
			Table: "known", Logic: "v1", Make: func(t *state.Table) *state.Table { return t },
		}),
		counts: stateful.Over(provider, mgr.Logger(), stateful.Memory[*simLane]{
			Table: "counts", Logic: "v1", Make: func(t *state.Table) *simLane { return &simLane{table: t} },
			Opened: func(l *simLane, _ int64) { l.fired = simFire(l.table) },
		}),
	}
}

// process is what the host does with one message: a failure is a flag on it.
func (p *simPipeline) process(ctx context.Context, m *service.Message) service.MessageBatch {
	outputs, err := p.outputs(ctx, m)
	if err != nil {
		m.SetError(err)
		return service.MessageBatch{m}
	}
	batch := service.MessageBatch{}
	for _, o := range outputs {
		out := service.NewMessage([]byte(o.content))
		message.Follow(out, m)
		out.MetaSetMut(testengine.MetaKind, string(o.kind))
		batch = append(batch, out)
	}
	if len(batch) == 0 {
		m.MetaSetMut(testengine.MetaKind, string(testengine.KindApplied))
		batch = append(batch, m)
	}
	return batch
}

func (p *simPipeline) outputs(ctx context.Context, m *service.Message) (outputs []simOutput, err error) {
	now, _ := stateful.TimeOf(m)
	content, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	body, upload := string(content), message.Kind(m) == testengine.KindUpload
	known := false
	err = p.known.Take(ctx, m, now, func(r *stateful.Record[*state.Table]) error {
		known = uploadseen.Record(r.Table, r.Applied, r.Offset, simWindow, simKey(upload, body))
		return r.End()
	})
	if err != nil {
		return nil, err
	}
	err = p.counts.Take(ctx, m, now, func(r *stateful.Record[*simLane]) error {
		if r.Applied {
			if !message.Silent(m) {
				at, _ := message.Position(m)
				p.wrong("state of partition %d has record %d before it was done", at.Partition, at.Offset)
			}
			return r.End()
		}
		outputs, r.Lane.fired = r.Lane.fired, nil
		if upload && !known {
			outputs = append(outputs, simCount(r.Table, body)...)
		}
		return r.End()
	})
	return outputs, err
}

func simKey(upload bool, body string) uint64 {
	if !upload {
		return 0
	}
	return testengine.Hash(7, body) | 1
}
