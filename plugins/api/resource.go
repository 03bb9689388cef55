package api

import (
	"context"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// resource finds a custom resource of a type by its label.
func resource[T any](res *service.Resources, kind, label string) (found T, err error) {
	var ok bool
	err = res.AccessCustomResource(context.Background(), kind, label, func(value any) { found, ok = value.(T) })
	if err != nil {
		return found, fmt.Errorf("finding the %s %q: %w", kind, label, err)
	}
	if !ok {
		return found, fmt.Errorf("finding the %s %q: it cannot do what %s needs of it", kind, label, inputType)
	}
	return found, nil
}

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
