package api

import "github.com/redpanda-data/benthos/v4/public/service"

// metrics counts what readers ask. A nil counter of a test counts nothing.
type metrics struct {
	requests *service.MetricCounter
	latency  *service.MetricTimer
	streams  *service.MetricGauge
}

func metricsFrom(res *service.Resources) metrics {
	return metrics{
		requests: res.Metrics().NewCounter("testengine_requests_total", "route", "status"),
		latency:  res.Metrics().NewTimer("testengine_request_latency_ns"),
		streams:  res.Metrics().NewGauge("testengine_request_streams"),
	}
}
