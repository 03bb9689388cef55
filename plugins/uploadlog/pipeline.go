package uploadlog

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

// flight is one batch: [begin, next) of its lane.
type flight struct {
	begin, next int64
	records     []disklog.Record // without bodies
	settled     bool
	failure     error
}

// maxFlights is how many batches of a lane are on their way behind a store that
// takes them in order: one in the processors while the others are being written.
const maxFlights = 3

// worthAFlight is what a lane must hold for its next batch while so many wait for
// the store. What waits there is written together, and cheaper the more it is, so
// the first goes at once, and later ones when they are larger: all three bring the
// store half a batch or more.
func (u *uploadLog) worthAFlight(waiting int) disklog.Limit {
	share := func(all int64) int64 { return all * int64(waiting) / (2 * maxFlights) }
	return disklog.Limit{Entries: int(share(int64(u.config.batch.Entries))), Bytes: share(u.config.batch.Bytes)}
}

// pipeline lets the next batch of a lane into the processors while the store
// still writes the last one, when the store keeps their order and the state can
// tell what has only passed the processors from what is stored.
func (u *uploadLog) pipeline() {
	receiver, ok := u.store.(testengine.Receiver)
	if !ok {
		return
	}
	if u.follower != nil {
		if _, ok := u.follower.(testengine.Passer); !ok {
			return
		}
	}
	u.pipelined = true
	receiver.OnReceived(u.received)
}

// received is called when the store has the lane's batch that begins there.
func (u *uploadLog) received(lane int, begin int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if lane < 0 || lane >= len(u.lanes) {
		return
	}
	at := &u.lanes[lane]
	n := len(at.flights)
	if at.phase != phaseInFlight || n == 0 || at.flights[n-1].begin != begin || at.flights[n-1].settled {
		return // It was heard before, or the batch is back already.
	}
	if passer, ok := u.follower.(testengine.Passer); ok {
		passer.Passed(lane, at.flights[n-1].next)
	}
	at.phase = phaseReady
	u.signal()
}

// settle moves the lane on after an ack. After an error the lane's state goes
// back to what is certain as soon as all batches of the lane are back, and the
// same records are handed out again: no later record ever overtakes one that failed.
func (u *uploadLog) settle(lane int, f *flight, failure error) {
	at := &u.lanes[lane]
	at.settling.Lock()
	defer at.settling.Unlock()
	if failer, ok := u.follower.(testengine.Failer); ok && failure == nil {
		failure = failer.Failed(lane)
	}
	u.mu.Lock()
	done := at.land(f, failure)
	u.mu.Unlock()
	for _, f := range done {
		u.log.Done(lane, f.next, f.records)
		if u.follower != nil {
			u.follower.Acked(lane, f.next)
		}
		if u.spool != nil {
			u.spool.Done(lane, f.next)
		}
	}
	u.mu.Lock()
	if len(done) > 0 {
		at.done = done[len(done)-1].next
	}
	u.goOn(lane)
	u.mu.Unlock()
	u.signal()
	if failure != nil {
		u.logger.Warnf("a batch of lane %d failed and is handed out again from entry %d: %v", lane, f.begin, failure)
	}
}

// land notes that a batch is back, and returns those that are done now.
func (d *delivery) land(f *flight, failure error) (done []*flight) {
	f.settled, f.failure = true, failure
	if failure != nil && !d.failing {
		d.failing, d.phase = true, phaseRestoring
		d.nacks++
	}
	for len(d.flights) > 0 && d.flights[0].settled && d.flights[0].failure == nil {
		done = append(done, d.flights[0])
		d.flights = d.flights[1:]
	}
	return done
}

// goOn hands out what follows, or, after a failure and when all are back, has
// the lane restored. The caller holds mu.
func (u *uploadLog) goOn(lane int) {
	at := &u.lanes[lane]
	switch {
	case !at.failing:
		if len(at.flights) == 0 && !at.reading && at.phase == phaseInFlight {
			at.phase = phaseReady
		}
		at.nacks = 0
	case at.reading, slices.ContainsFunc(at.flights, func(f *flight) bool { return !f.settled }):
	default:
		at.flights, at.failing = nil, false
		if u.ended && !u.config.drain {
			at.phase = phaseReady
			return
		}
		nacks := at.nacks
		u.workers.Go(func() { u.restore(lane, nacks) })
	}
}
