package schema

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// maxUnknown bounds what is remembered of ids that the registry does not know.
const maxUnknown = 10_000

// registry speaks Confluent's Schema Registry API.
type registry struct {
	config schemasConfig
	client *sr.Client
	now    func() time.Time
	warn   func(format string, values ...any)

	mu      sync.Mutex
	unknown map[uint32]time.Time // Until when an id is taken as unknown.
}

func newRegistry(config schemasConfig, now func() time.Time, warn func(string, ...any)) (*registry, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	transport.TLSClientConfig = config.tls
	options := []sr.ClientOpt{
		sr.URLs(config.url),
		sr.HTTPClient(&http.Client{Timeout: config.timeout, Transport: transport}),
		sr.UserAgent("connect-testengine"),
	}
	if config.username != "" {
		options = append(options, sr.BasicAuth(config.username, config.password))
	}
	client, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("making a client of the registry %s: %w", config.url, err)
	}
	return &registry{config: config, client: client, now: now, warn: warn, unknown: make(map[uint32]time.Time)}, nil
}

// prepare returns the id of the record's schema, which the registry has afterwards.
func (r *registry) prepare(ctx context.Context, record avro.Record) (id uint32, err error) {
	subject := r.config.subjects[record]
	schema := sr.Schema{Schema: record.Current().Text, Type: sr.TypeAvro}
	found, err := r.client.LookupSchema(ctx, subject, schema)
	switch {
	case err == nil:
		return uint32(found.ID), nil // Yesterday's binary comes back: its schema is there beside newer ones.
	case !notFound(err):
		return 0, r.asking("looking up schema "+record.String(), err)
	case !r.config.register:
		return 0, fmt.Errorf("schema %s is not in the registry under subject %s, and register is false", record, subject)
	}
	versions, err := r.client.Schemas(ctx, subject)
	if err != nil && !notFound(err) {
		return 0, r.asking("reading the versions of subject "+subject, err)
	}
	if err := r.compare(ctx, record, subject, schema, versions); err != nil {
		return 0, err
	}
	registered, err := r.client.RegisterSchema(ctx, subject, schema, -1, -1)
	if refusedByRule(err) {
		return 0, fmt.Errorf("%w: the registry refuses schema %s under subject %s: %w", testengine.ErrIncompatibleSchema, record, subject, err)
	}
	if err != nil {
		return 0, r.asking("registering schema "+record.String(), err)
	}
	if len(versions) == 0 {
		r.setRule(ctx, subject)
	}
	return uint32(registered), nil
}

// compare holds the schema against every version of its subject, in both
// directions and whatever rule the registry has, and then asks the registry.
func (r *registry) compare(ctx context.Context, record avro.Record, subject string, schema sr.Schema, versions []sr.SubjectSchema) error {
	for _, version := range versions {
		if version.Type != sr.TypeAvro {
			return fmt.Errorf("%w: version %d of subject %s is %s and not Avro", testengine.ErrIncompatibleSchema, version.Version, subject, version.Type)
		}
		if err := avro.Compatible(version.Schema.Schema, schema.Schema); err != nil {
			return fmt.Errorf("%w: schema %s against version %d of subject %s: %w", testengine.ErrIncompatibleSchema, record, version.Version, subject, err)
		}
	}
	if len(versions) == 0 {
		return nil
	}
	answer, err := r.client.CheckCompatibility(ctx, subject, -1, schema)
	switch {
	case notFound(err):
		return nil
	case err != nil && !refusedByRule(err):
		return r.asking("asking whether schema "+record.String()+" is compatible", err)
	case err != nil || !answer.Is:
		return fmt.Errorf("%w: the registry's rule for subject %s refuses schema %s: %v %w", testengine.ErrIncompatibleSchema, subject, record, answer.Messages, err)
	}
	return nil
}

// setRule tells the registry the rule of a new subject. It is for other writers:
// where we may not, ours are compared all the same.
func (r *registry) setRule(ctx context.Context, subject string) {
	if r.config.compatibility == "" {
		return
	}
	for _, result := range r.client.SetCompatibility(ctx, sr.SetCompatibility{Level: r.config.level}, subject) {
		if result.Err != nil {
			r.warn("the registry keeps its own rule for subject %s: %v", subject, result.Err)
		}
	}
}

// fetch returns the text of a schema. asked is false when the answer was remembered.
func (r *registry) fetch(ctx context.Context, id uint32) (text string, asked bool, err error) {
	if r.isUnknown(id) {
		return "", false, fmt.Errorf("%w: the registry did not have it a moment ago", testengine.ErrUnknownSchema)
	}
	schema, err := r.client.SchemaByID(ctx, int(id))
	switch {
	case notFound(err):
		r.remember(id)
		return "", true, fmt.Errorf("%w: the registry does not have it", testengine.ErrUnknownSchema)
	case err != nil:
		return "", true, r.asking("fetching a schema", err)
	case schema.Type != sr.TypeAvro:
		r.remember(id)
		return "", true, fmt.Errorf("%w: it is %s and not Avro", testengine.ErrUnknownSchema, schema.Type)
	}
	return schema.Schema, true, nil
}

func (r *registry) isUnknown(id uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.unknown[id]
	return ok && r.now().Before(until)
}

func (r *registry) remember(id uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unknown) >= maxUnknown {
		clear(r.unknown) // Random bytes taken for ids; asking again costs a request each.
	}
	r.unknown[id] = r.now().Add(r.config.retryUnknown)
}

// registryError is what another try may mend.
type registryError struct{ error }

func (e registryError) Unwrap() error { return e.error }

func (r *registry) asking(what string, err error) error {
	return registryError{fmt.Errorf("%s at the registry %s: %w", what, r.config.url, err)}
}

// notFound is the registry's own word (codes 40401 and so on), not the 404 of
// a wrong address: that would make every record one of an unknown schema.
func notFound(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.ErrorCode/100 == http.StatusNotFound
}

func refusedByRule(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusConflict
}
