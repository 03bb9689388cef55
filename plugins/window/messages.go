package window

import (
	"bytes"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

// The metadata of what leaves.
const (
	metaLate     = "late"
	metaRejected = "rejected"
	metaReason   = "reason"
	metaEvents   = "events"
	metaWindow   = "window"
	metaPane     = "pane"
	metaVersion  = "version"
	metaStart    = "window_start"
	metaEnd      = "window_end"
	metaDue      = "due"
)

// messages makes the messages of a message: a block goes first and everything
// else last, so that the last message of a record stays the last.
func (a *aggregator) messages(m *service.Message, ours, logged bool, t *tally, said []panes.Pane) service.MessageBatch {
	pass, block := !ours || a.both, ours && a.plan.blocks
	var batch service.MessageBatch
	if pass && block {
		batch = append(batch, m)
	}
	batch = append(batch, left(m, t)...)
	for len(said) > 0 {
		n := a.fitting(said)
		batch = append(batch, a.paneMessage(m, said[:n]))
		said = said[n:]
	}
	switch {
	case pass && !block:
		batch = append(batch, m)
	case len(batch) == 0 && logged:
		// A record of the log must not vanish: its position has to come through.
		out := m.Copy()
		message.Set(out, testengine.KindApplied, map[string]any{})
		batch = append(batch, out)
	}
	return batch
}

// fitting is how many of the panes make one message: at least one.
func (a *aggregator) fitting(said []panes.Pane) (n int) {
	bytes := int64(len("[]"))
	for n = range said {
		bytes += int64(len(said[n].Content) + len(","))
		if n == a.perPane || n > 0 && bytes > a.paneBytes {
			return n
		}
	}
	return len(said)
}

// paneMessage carries one pane, or an array of them. Of the record's metadata
// only its place stays: a pane is about many records.
func (a *aggregator) paneMessage(m *service.Message, said []panes.Pane) *service.Message {
	var content []byte
	if a.perPane == 1 {
		content = said[0].Content
	} else {
		content = append(content, '[')
		for i := range said {
			if i > 0 {
				content = append(content, ',')
			}
			content = append(content, said[i].Content...)
		}
		content = append(content, ']')
	}
	out := service.NewMessage(content)
	message.Follow(out, m)
	out.MetaSetMut(testengine.MetaKind, string(testengine.KindWindow))
	out.MetaSetMut(metaWindow, a.settings.Name)
	if a.perPane == 1 {
		p := &said[0]
		out.MetaSetMut(metaPane, string(p.Kind))
		out.MetaSetMut(metaVersion, int64(p.Version))
		out.MetaSetMut(metaStart, p.Start)
		out.MetaSetMut(metaEnd, p.End)
		out.MetaSetMut(metaDue, p.Due)
	}
	return out
}

// left makes the messages of events that are in no window.
func left(m *service.Message, t *tally) (batch service.MessageBatch) {
	if t.rejected.n > 0 {
		out := leftMessage(m, testengine.KindRejected, &t.rejected, t.total)
		out.MetaSetMut(metaRejected, true)
		out.MetaSetMut(metaReason, t.rejected.reason.Error())
		batch = append(batch, out)
	}
	if t.late.n > 0 {
		out := leftMessage(m, testengine.KindLate, &t.late, t.total)
		out.MetaSetMut(metaLate, true)
		batch = append(batch, out)
	}
	return batch
}

// leftMessage carries the message as it came when all its events are left, else
// those that are: one as it stood there, several in an array, or a block of them.
func leftMessage(m *service.Message, kind testengine.Kind, left *leftover, total int) *service.Message {
	out := m.Copy()
	if left.n < total {
		if block, err := message.Get[testengine.Block](m); message.Kind(m) == testengine.KindBlock && err == nil {
			out.SetStructured(part(block, left.places))
		} else if left.n == 1 {
			out.SetBytes(bytes.Clone(left.raw[0]))
		} else {
			out.SetBytes(append(append([]byte{'['}, bytes.Join(left.raw, []byte{','})...), ']'))
		}
	}
	out.MetaSetMut(testengine.MetaKind, string(kind))
	out.MetaSetMut(metaEvents, int64(left.n))
	return out
}

// part is a block of some of a block's executions.
func part(block *testengine.Block, places []int) *testengine.Block {
	some := &testengine.Block{Position: block.Position, First: block.First, Upload: block.Upload}
	for _, place := range places {
		some.Executions = append(some.Executions, block.Executions[place])
	}
	from := block.Annotations
	if from == nil {
		return some
	}
	to := &testengine.Annotations{Tags: from.Tags, OwnerNames: from.OwnerNames}
	for i, place := range places {
		if len(from.Owners) > place {
			to.Owners = append(to.Owners, from.Owners[place])
		}
		if signature, ok := from.Signatures[place]; ok {
			if to.Signatures == nil {
				to.Signatures = map[int]testengine.Signature{}
			}
			to.Signatures[i] = signature
		}
		if tags, ok := from.Executions[place]; ok {
			if to.Executions == nil {
				to.Executions = map[int][]testengine.Tag{}
			}
			to.Executions[i] = tags
		}
	}
	some.Annotations = to
	return some
}
