package schema

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// schemas is what AccessCustomResource gives: a testengine.RecordCodec.
type schemas struct {
	*avro.Codec
	registry *registry // Nil when ids are built in.
	log      *service.Logger
	requests *service.MetricCounter
}

func newSchemas(config schemasConfig, res *service.Resources) (*schemas, error) {
	if config.url == "" {
		return &schemas{Codec: avro.NewBuiltIn()}, nil
	}
	registry, err := newRegistry(config, time.Now, res.Logger().Warnf)
	if err != nil {
		return nil, err
	}
	s := &schemas{
		registry: registry,
		log:      res.Logger(),
		requests: res.Metrics().NewCounter("testengine_schema_registry_requests_total", "request", "result"),
	}
	s.Codec = avro.New(s.fetch)
	return s, nil
}

// Prepare implements testengine.RecordCodec: with a registry, a schema is
// registered before its first record.
func (s *schemas) Prepare(ctx context.Context, kinds ...testengine.Kind) error {
	if s.registry == nil {
		return s.Codec.Prepare(ctx, kinds...)
	}
	records := avro.Records()
	if len(kinds) > 0 {
		records = records[:0]
		for _, kind := range kinds {
			record, ok := avro.RecordOf(kind)
			if !ok {
				return fmt.Errorf("preparing the schema of kind %q: no record is written for it", kind)
			}
			records = append(records, record)
		}
	}
	for _, record := range records {
		if s.Prepared(record) {
			continue
		}
		id, err := s.registry.prepare(ctx, record)
		s.count("register", err)
		if err != nil {
			return err
		}
		s.log.Infof("schema %s has id %d under subject %s", record, id, s.registry.config.subjects[record])
		s.Use(record, id)
	}
	return nil
}

func (s *schemas) fetch(ctx context.Context, id uint32) (string, error) {
	text, asked, err := s.registry.fetch(ctx, id)
	if asked {
		s.count("fetch", err)
	}
	return text, err
}

// count counts a request; that a schema is refused or unknown is an answer.
func (s *schemas) count(request string, err error) {
	result := "done"
	if err != nil && !errors.Is(err, testengine.ErrIncompatibleSchema) && !errors.Is(err, testengine.ErrUnknownSchema) {
		result = "failed"
	}
	s.requests.Incr(1, request, result)
}

// Close implements the resource's end: nothing is open.
func (*schemas) Close(context.Context) error { return nil }

// codecOf returns the codec of the resource with that label, or without a label the built-in one.
func codecOf(ctx context.Context, res *service.Resources, label string) (codec testengine.RecordCodec, err error) {
	if label == "" {
		return avro.NewBuiltIn(), nil
	}
	return fields.Resource[testengine.RecordCodec](ctx, res, resourceType, label)
}
