package upload

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// counters are incremented once for each upload.
type counters struct {
	uploads    *service.MetricCounter
	executions *service.MetricCounter
	bytes      *service.MetricCounter
}

func newCounters(metrics *service.Metrics) counters {
	return counters{
		uploads:    metrics.NewCounter("testengine_decode_uploads_total", "result"),
		executions: metrics.NewCounter("testengine_decode_executions_total", "result"),
		bytes:      metrics.NewCounter("testengine_decode_bytes_total"),
	}
}

func (c *counters) count(result assemble.Result) {
	if result.Refused {
		c.uploads.Incr(1, "refused")
		return
	}
	c.uploads.Incr(1, "decoded")
	if n := result.Report.Accepted; n > 0 {
		c.executions.Incr(int64(n), "accepted")
	}
	if n := result.Report.Rejected; n > 0 {
		c.executions.Incr(int64(n), "rejected")
	}
}
