package uploadlog

import (
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

// idleIntervals is after how many tick intervals without an entry the wall
// clock takes over from the log's own time.
const idleIntervals = 5

type uploadLogMetrics struct {
	depthEntries, depthBytes, oldestAge *service.MetricGauge
	behind                              *service.MetricGauge
	duplicates, refused, spilled        *service.MetricCounter
}

func newUploadLogMetrics(m *service.Metrics) uploadLogMetrics {
	return uploadLogMetrics{
		depthEntries: m.NewGauge("testengine_log_depth_entries"),
		depthBytes:   m.NewGauge("testengine_log_depth_bytes"),
		oldestAge:    m.NewGauge("testengine_log_oldest_age_seconds"),
		duplicates:   m.NewCounter("testengine_log_duplicates_total"),
		refused:      m.NewCounter("testengine_log_refused_entries_total"),
		behind:       m.NewGauge("testengine_log_spilling"),
		spilled:      m.NewCounter("testengine_log_spilled_uploads_total"),
	}
}

// keepHouse does what has time, every tick interval.
func (u *uploadLog) keepHouse() {
	ticker := time.NewTicker(u.config.tickInterval)
	defer ticker.Stop()
	complained := ""
	for {
		select {
		case <-u.running.Done():
			return
		case <-ticker.C:
		}
		if err := u.houseRound(); err != nil && err.Error() != complained {
			complained = err.Error()
			u.logger.Warnf("tidying the upload log: %v", err)
		}
	}
}

func (u *uploadLog) houseRound() error {
	u.measure()
	for lane := range u.lanes {
		u.tickIfDue(lane)
		u.keepNeeded(lane)
	}
	if err := u.log.Checkpoint(); err != nil {
		return err
	}
	return u.log.Trim()
}

func (u *uploadLog) measure() {
	entries, bytes := u.log.Depth()
	u.metrics.depthEntries.Set(entries)
	u.metrics.depthBytes.Set(bytes)
	age := time.Duration(0)
	if oldest, ok := u.log.Oldest(); ok {
		age = max(0, u.now().Sub(time.UnixMilli(oldest)))
	}
	u.lag.Store(int64(age))
	u.metrics.oldestAge.SetFloat64(age.Seconds())
	if seen := u.log.Duplicates(); seen > u.reported {
		u.metrics.duplicates.Incr(seen - u.reported)
		u.reported = seen
	}
}

// tickIfDue appends a tick when the lane stands at the log's end and a timer of
// its state is due. While entries come in, the log's own time decides, so that
// simulated days are not cut short by the wall clock.
func (u *uploadLog) tickIfDue(lane int) {
	if u.follower == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	at := &u.lanes[lane]
	if at.tick || u.ended || at.phase != phaseReady || len(at.flights) > 0 || !u.log.AtEnd(lane, at.next) {
		return
	}
	now := u.log.Time()
	if wall := u.now(); wall.Sub(u.lastAppend) >= idleIntervals*u.config.tickInterval {
		now = max(now, wall.UnixMilli())
	}
	due, ok := u.follower.NextDue(lane)
	if !ok || due > now {
		return
	}
	at.tick = true
	err := u.log.Append([]disklog.Entry{{
		Kind: testengine.KindTick, Lane: lane, ReceivedAt: now, Body: []byte("{}"),
		Meta: []disklog.Pair{{Name: testengine.MetaReceivedAt, Number: now, IsNumber: true}},
	}}, func(error) {
		u.mu.Lock()
		u.lanes[lane].tick = false
		u.mu.Unlock()
	})
	at.tick = err == nil
}

// keepNeeded tells the log what the state still needs of a lane, and what the
// lane itself will still hand out.
func (u *uploadLog) keepNeeded(lane int) {
	u.mu.Lock()
	phase, needed := u.lanes[lane].phase, u.lanes[lane].done
	u.mu.Unlock()
	if phase == phaseRestoring {
		return
	}
	if u.follower != nil {
		needed = min(needed, u.follower.Synced(lane))
	}
	u.log.Keep(lane, needed)
}
