package uploadlog

import (
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/spool"
)

const (
	// spoolRounds is how often within spill_after the spool looks who has waited long enough.
	spoolRounds       = 20
	longestSpoolRound = 100 * time.Millisecond
)

func (u *uploadLog) openSpool() {
	u.spool = spool.New(u.config.spillAfter, u.config.drainRate, len(u.lanes))
	u.spoolRound()
	u.workers.Go(func() {
		ticker := time.NewTicker(max(time.Millisecond, min(longestSpoolRound, u.config.spillAfter/spoolRounds)))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				u.spoolRound()
			case <-u.running.Done():
				return
			}
		}
	})
}

// spoolRound looks how far the output is behind, answers who has waited long
// enough, and lets a backlog go on whose rate allows it again.
func (u *uploadLog) spoolRound() {
	now := u.now()
	var age time.Duration
	if oldest, ok := u.log.Oldest(); ok {
		age = now.Sub(time.UnixMilli(oldest))
	}
	behind := u.spool.Round(now, age)
	u.metrics.behind.Set(0)
	if behind {
		u.metrics.behind.Set(1)
		u.signal()
	}
	spilled := u.spool.Spilled()
	u.metrics.spilled.Incr(spilled - u.spilled)
	if behind && !u.behind {
		u.logger.Warnf("What stands behind the upload log is slow or away: uploads are answered when they are safe in %s", u.config.path)
	} else if u.behind && !behind {
		u.logger.Infof("What stands behind the upload log has caught up, %d uploads were answered before it had them", spilled)
	}
	u.behind, u.spilled = behind, spilled
}

func placesOf(entries []disklog.Entry) []spool.Place {
	places := make([]spool.Place, len(entries))
	for i := range entries {
		places[i] = spool.Place{Lane: entries[i].Lane, Number: entries[i].Number}
	}
	return places
}

func bytesOf(records []disklog.Record) (bytes int64) {
	for i := range records {
		bytes += int64(len(records[i].Body))
	}
	return bytes
}
