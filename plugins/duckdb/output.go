package duckdb

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func init() {
	service.MustRegisterBatchOutput(outputName, outputSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			out, inFlight, err := outputFromParsed(conf, res)
			return out, service.BatchPolicy{}, inFlight, err
		})
}

// output hands batches to the database and holds on to each until it is stored.
type output struct {
	label          string
	res            *service.Resources
	database       *Database
	first, longest time.Duration
	executions     *service.MetricCounter
	retries        *service.MetricCounter
	refused        atomic.Bool
}

func outputFromParsed(conf *service.ParsedConfig, res *service.Resources) (o *output, inFlight int, err error) {
	p := fields.Into(&err, conf)
	o = &output{
		res: res, label: p.Text(fieldDatabase), first: p.Period(fieldRetryInterval), longest: p.Period(fieldRetryMax),
		executions: res.Metrics().NewCounter("testengine_stored_executions_total"),
		retries:    res.Metrics().NewCounter("testengine_store_retries_total"),
	}
	return o, p.NumberWithin(1, fields.Endless, fieldMaxInFlight), err
}

// Connect finds the database and waits until it is open. A database that is not
// there, or cannot be opened, will not be while the process runs.
func (o *output) Connect(ctx context.Context) (err error) {
	if o.refused.Load() {
		return refusal.Connecting(ctx)
	}
	if o.database, err = fields.Resource[*Database](ctx, o.res, resourceName, o.label); err == nil {
		err = o.database.ready(ctx)
	}
	if err == nil {
		err = fields.Expected(o.res)
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return err
	}
	o.refuse(err)
	return refusal.Connecting(ctx)
}

// refuse ends the stream, and with it the process.
func (o *output) refuse(err error) {
	if o.refused.CompareAndSwap(false, true) {
		refusal.Refuse(o.res.Logger(), err)
	}
}

// WriteBatch stores the batch. It comes back only when all of it is stored, or
// ctx ends, or it never can be: it is of another log, or the state has not taken
// all of it.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	if err := message.NotRemembered(batch); err != nil {
		return err
	}
	wait := o.first
	for {
		err := o.database.write(ctx, batch)
		if err == nil {
			o.executions.Incr(executions(batch))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errOvertakes) {
			return err // It comes again, behind the one that was not stored.
		}
		if errors.Is(err, rows.ErrOtherLog) {
			o.refuse(err)
			return refusal.Reading()
		}
		o.retries.Incr(1)
		o.res.Logger().Errorf("Storing a batch that begins with %s, next try in %s: %v", message.Place(batch[0]), wait, err)
		if !pause.For(ctx, wait) {
			return ctx.Err()
		}
		wait = min(wait*2, o.longest)
	}
}

// Close leaves the database open: it is shared.
func (*output) Close(context.Context) error { return nil }

// stage adds the batch's messages to the transaction being built.
func stage(b *rows.Builder, batch service.MessageBatch) error {
	for _, m := range batch {
		if err := stageMessage(b, m); err != nil {
			return err
		}
	}
	return nil
}

func stageMessage(b *rows.Builder, m *service.Message) error {
	origin := originOf(m)
	if err := b.Check(origin); err != nil {
		return err
	}
	switch kind := message.Kind(m); kind { //nolint:exhaustive // an output passes by the kinds it does not know
	case testengine.KindBlock:
		block, err := message.Get[testengine.Block](m)
		if err != nil {
			return err
		}
		b.Block(origin, block)
	case testengine.KindUploadReport:
		report, err := message.Get[testengine.UploadReport](m)
		if err != nil {
			return err
		}
		b.Report(origin, report)
	case testengine.KindRun:
		run, err := message.Get[testengine.Run](m)
		if err != nil {
			return err
		}
		b.Run(origin, run)
	case testengine.KindVerdict:
		verdict, err := message.Get[testengine.Verdict](m)
		if err != nil {
			return err
		}
		b.Verdict(origin, verdict)
	case testengine.KindTick, testengine.KindChange, testengine.KindApplied:
		b.End(origin)
	}
	return nil
}

func originOf(m *service.Message) rows.Origin {
	position, ok := message.Position(m)
	time, _ := message.Int(m, testengine.MetaLogTime)
	return rows.Origin{Position: position, Logged: ok, Time: time}
}

// executions counts those of a batch's blocks.
func executions(batch service.MessageBatch) (n int64) {
	for _, m := range batch {
		if message.Kind(m) != testengine.KindBlock {
			continue
		}
		if block, err := message.Get[testengine.Block](m); err == nil {
			n += int64(len(block.Executions))
		}
	}
	return n
}
