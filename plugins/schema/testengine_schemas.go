// Package schema writes and reads the records of our topics as Avro: the
// resource testengine_schemas, which knows their schemas with or without a
// Schema Registry, and the processors record_encode and record_decode for
// streams that use other inputs and outputs than ours.
package schema

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
)

const (
	resourceType = "testengine_schemas"

	sfURL           = "url"
	sfTopics        = "topics"
	sfSubjectPrefix = "subject_prefix"
	sfRegister      = "register"
	sfCompatibility = "compatibility"
	sfTimeout       = "timeout"
	sfRetryUnknown  = "retry_unknown"
	sfBasicAuth     = "basic_auth"
	sfUsername      = "username"
	sfPassword      = "password"
	sfTLS           = "tls"
)

// topics are the names that our pipelines give the topics.
var topics = map[avro.Record]string{
	avro.RecordUpload: "uploads", avro.RecordBlock: "executions", avro.RecordVerdict: "verdicts",
	avro.RecordRun: "runs", avro.RecordUploadReport: "upload_reports",
}

func init() {
	resource.Register(resourceType, schemasSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (any, error) {
			config, err := schemasFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return newSchemas(config, res)
		})
}

func schemasSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Integration").
		Summary("The Avro schemas of our topics' records, with or without a Schema Registry.").
		Description(`Records carry Confluent's frame (a byte 0 and the schema's id). The schemas lie in `+"`config/schemas`"+`, described field by field.

Without a `+"`url`"+` the ids are built in: 0x7e57, the record's number (1 upload, 2 block, 3 verdict, 4 run, 5 upload report) and the schema's version, such as 0x7e570201 for the first version of a block. Readers have to be brought to a new version before writers then, because there is nowhere to look a newer schema up.

With a registry, whoever writes registers its schemas before its first record. A schema that an older reader could not read, or that could not read what is there, is refused with one sentence: it is compared in both directions with every version of its subject, and the registry is asked as well. The ids of other writers are looked up once and kept; records of another version are read by Avro's schema resolution. Built-in ids are always read, so a topic may change over to a registry.

A record whose schema nobody knows, or that its schema does not explain, is the record's fault: inputs send it to the dead letters. A registry that is away is not: it is asked again.

Metrics: `+"`testengine_schema_registry_requests_total{request,result}`"+` (requests register, fetch; results done, failed).`).
		Fields(schemasFields()...).
		Example("A registry of one's own", "Every pipeline that writes or reads topics names the resource by its label.", `
testengine_schemas:
  - label: schemas
    url: https://registry.example.com
    basic_auth:
      username: testengine
      password: ${REGISTRY_PASSWORD}

pipeline:
  processors:
    - record_encode:
        schemas: schemas
`)
}

func schemasFields() []*service.ConfigField {
	perRecord := make([]*service.ConfigField, 0, len(topics))
	for _, record := range avro.Records() {
		perRecord = append(perRecord, service.NewStringField(record.String()).Default(topics[record]).
			Description("The topic that records of this schema are written to."))
	}
	return []*service.ConfigField{
		service.NewStringField(sfURL).Default("").
			Description("The registry, under whose address Confluent's API lies. Empty means built-in ids.").
			Example("http://localhost:8081").Example("https://registry.example.com/apis/ccompat/v7"),
		service.NewObjectField(sfTopics, perRecord...).
			Description("The topics' names: a schema's subject is its topic's name and `-value`.").Advanced(),
		service.NewStringField(sfSubjectPrefix).Default("").
			Description("When set, subjects are this prefix, `-` and the record's name (`upload`, `block`, `verdict`, `run`, `upload_report`), whatever the topics are called.").
			Example("testengine").Advanced(),
		service.NewBoolField(sfRegister).Default(true).
			Description("Register schemas that the registry has not got. With `false` somebody else does, and a writer whose schema is not there refuses to write.").Advanced(),
		service.NewStringEnumField(sfCompatibility, "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "").
			Default("FULL_TRANSITIVE").
			Description("The rule that the registry is told for a subject that this process is the first to write to; it binds other writers. When the registry does not let us, a warning says so. Empty leaves the registry's own. This process compares in both directions whatever the rule is.").Advanced(),
		fields.NewDuration(sfTimeout).Default("5s").
			Description("How long one request to the registry may take."),
		fields.NewDuration(sfRetryUnknown).Default("1m").
			Description("How long an id that the registry does not know is taken as unknown before the registry is asked again.").Advanced(),
		service.NewObjectField(sfBasicAuth,
			service.NewStringField(sfUsername).Default("").Description("The name that the registry knows us by. Empty means no authentication."),
			service.NewStringField(sfPassword).Default("").Secret().Description("The password that goes with it."),
		).Description("Basic authentication at the registry."),
		service.NewTLSToggledField(sfTLS).
			Description("TLS towards the registry."),
	}
}

type schemasConfig struct {
	url           string
	subjects      map[avro.Record]string
	register      bool
	compatibility string
	level         sr.CompatibilityLevel // compatibility, when it is not empty
	timeout       time.Duration
	retryUnknown  time.Duration
	username      string
	password      string
	tls           *tls.Config
}

func schemasFromParsed(conf *service.ParsedConfig) (c schemasConfig, err error) {
	r := fields.Into(&err, conf)
	c.url, c.subjects = r.Text(sfURL), readSubjects(r)
	c.register, c.compatibility = r.Truth(sfRegister), r.Text(sfCompatibility)
	c.timeout, c.retryUnknown = r.Duration(sfTimeout), r.Duration(sfRetryUnknown)
	c.username, c.password = r.Text(sfBasicAuth, sfUsername), r.Text(sfBasicAuth, sfPassword)
	if c.url != "" && !strings.HasPrefix(c.url, "http://") && !strings.HasPrefix(c.url, "https://") {
		r.Keep(fmt.Errorf("reading %s: %q begins with neither http:// nor https://", sfURL, c.url))
	}
	if c.compatibility != "" {
		if err := c.level.UnmarshalText([]byte(c.compatibility)); err != nil {
			r.Keep(fmt.Errorf("reading %s: %w", sfCompatibility, err))
		}
	}
	if err != nil {
		return c, err
	}
	config, enabled, err := conf.FieldTLSToggled(sfTLS)
	if enabled {
		c.tls = config
	}
	return c, err
}

func readSubjects(r fields.Reader) map[avro.Record]string {
	prefix := r.Text(sfSubjectPrefix)
	subjects := make(map[avro.Record]string, len(topics))
	for _, record := range avro.Records() {
		subjects[record] = r.Text(sfTopics, record.String()) + "-value"
		if prefix != "" {
			subjects[record] = prefix + "-" + record.String()
		}
	}
	return subjects
}
