// Package enrich annotates executions with what is known elsewhere: core tags,
// owners, metadata of pipelines and customers, failure signatures.
package enrich

import (
	"errors"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/lookup"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	efCoreTags    = "core_tags"
	efPaths       = "paths"
	efSignatures  = "signatures"
	efOwnersFile  = "owners_file"
	efOwnersDir   = "owners_folder"
	efReloadEvery = "reload_interval"
	efLookups     = "lookups"

	lfName        = "name"
	lfCache       = "cache"
	lfFile        = "file"
	lfKey         = "key"
	lfPrefix      = "prefix"
	lfTTL         = "ttl"
	lfNegativeTTL = "negative_ttl"
	lfMaxEntries  = "max_entries"
	lfMaxTags     = "max_tags"
	lfTimeout     = "timeout"
)

func init() {
	service.MustRegisterProcessor("execution_enrich", enrichSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			config, err := enrichFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return newEnricher(config, res)
		})
}

func enrichSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine", "Mapping").
		Summary("Annotates executions with core tags, owners, metadata of pipelines and customers, and failure signatures.").
		Description(`Takes blocks of executions and verdicts; every other message passes. What it adds are annotations: it changes no fact that a collector sent, and of one key the tag that was sent wins, an execution's over its upload's, those over core tags, and core tags over looked up ones. Put it behind `+"`flaky_detect`"+`: detection cannot see annotations, and verdicts get their owner here.

Core tags come from `+"`run_env`"+`: `+"`build.id`, `build.job_id`, `ci`, `collector.name`, `collector.version`, `language.name`, `language.version`, `scm.branch`, `scm.commit_sha`, `test.framework.name`"+`. An execution whose path in the repository is not its file name as sent (a location prefix, an absolute path, backslashes) gets `+"`code.file.path`"+`.

Lookups never hold the stream up. What is not known yet is fetched in the background, and the block goes on without it; a source that is slow or away costs annotations, nothing else.

Metrics: `+"`testengine_enrich_executions_total`, `testengine_enrich_signatures_total`, `testengine_enrich_lookups_total{lookup,result}`"+` (hit, miss, found, absent, failed, busy), `+"`testengine_enrich_reloads_total{file,result}`"+`.`).
		Fields(
			service.NewBoolField(efCoreTags).Default(true).
				Description("Add core tags from what the collector says of its environment."),
			service.NewBoolField(efPaths).Default(true).
				Description("Add `code.file.path` to executions whose path in the repository differs from their file name."),
			service.NewBoolField(efSignatures).Default(true).
				Description("Add the signatures by which failures of one cause are grouped."),
			service.NewStringField(efOwnersFile).Default("").
				Description("A TESTOWNERS file, in the grammar of CODEOWNERS with teams as owners. The last line that matches a file decides, its first team is the owner, and a line without a team takes nothing away. Empty means that nobody owns anything.").
				Example("TESTOWNERS"),
			service.NewStringField(efOwnersDir).Default("").Advanced().
				Description("A folder in which to keep the TESTOWNERS files that CI sends to the front door (`POST /v1/test-ownerships`), so that they outlive the process. A suite's own file stands before `owners_file`. Empty keeps them in memory."),
			fields.NewDuration(efReloadEvery).Default("10s").Advanced().
				Description("How often files are looked at for changes. A file that cannot be read keeps what was read before."),
			service.NewObjectListField(efLookups, lookupFields()...).Default([]any{}).
				Description("Where metadata is looked up, for example of the pipeline or the customer. Of one tag the first lookup wins."),
		).
		Example("Owners and metadata",
			"Teams own files; what is known of a customer lies in a cache, what is known of a suite in a file.", `
cache_resources:
  - label: customers
    memory: {}

pipeline:
  processors:
    - label: annotate_executions
      execution_enrich:
        owners_file: TESTOWNERS
        lookups:
          - name: customer
            cache: customers
            key: ${! metadata("org") }
            prefix: customer.
          - name: pipeline
            file: config/pipelines.yaml
            key: ${! metadata("org") }/${! metadata("suite") }
            prefix: pipeline.
`)
}

func lookupFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(lfName).
			Description("A name for metrics and logs."),
		service.NewStringField(lfCache).Default("").
			Description("The label of a cache resource whose values are JSON objects. Any cache of Connect will do: Redis, SQL, an HTTP service behind one."),
		service.NewStringField(lfFile).Default("").
			Description("Instead of a cache, a YAML file: an object of tags for each key. It is read again when it changes."),
		service.NewInterpolatedStringField(lfKey).Default(`${! metadata("org") }/${! metadata("suite") }`).
			Description("What is looked up. It is evaluated once for each block; use metadata (`org`, `suite`, `branch`, `run_key`), since the content would be encoded for it."),
		service.NewStringField(lfPrefix).Default("").
			Description("Put in front of the names of the tags.").
			Example("pipeline."),
		fields.NewDuration(lfTTL).Default("10m").
			Description("How long an answer holds. After that it is asked for again, and holds until there is a newer one."),
		fields.NewDuration(lfNegativeTTL).Default("1m").
			Description("How long it is remembered that there is no answer, or that the source failed."),
		fields.NewNumber(lfMaxEntries, 1, fields.Endless).Default(10_000).Advanced().
			Description("How many keys are remembered."),
		fields.NewNumber(lfMaxTags, 0, fields.Endless).Default(50).Advanced().
			Description("How many tags of an answer are taken, in order of name."),
		fields.NewDuration(lfTimeout).Default("2s").Advanced().
			Description("How long a source may take to answer."),
	}
}

type enrichConfig struct {
	coreTags, paths, signatures bool
	ownersFile, ownersFolder    string
	reloadEvery                 time.Duration
	lookups                     []lookupConfig
}

type lookupConfig struct {
	name, cache, file, prefix string
	key                       *service.InterpolatedString
	remember                  lookup.Options
	maxTags                   int
	timeout                   time.Duration
}

var errSource = errors.New("a lookup needs either cache or file")

func enrichFromParsed(conf *service.ParsedConfig) (c enrichConfig, err error) {
	p := fields.Into(&err, conf)
	c.coreTags, c.paths, c.signatures = p.Truth(efCoreTags), p.Truth(efPaths), p.Truth(efSignatures)
	c.ownersFile, c.reloadEvery = p.Text(efOwnersFile), p.Duration(efReloadEvery)
	c.ownersFolder = p.Text(efOwnersDir)
	for _, p := range p.Each(efLookups) {
		l := lookupConfig{
			name: p.Text(lfName), cache: p.Text(lfCache), file: p.Text(lfFile), prefix: p.Text(lfPrefix),
			key: p.Interpolated(lfKey), maxTags: p.NumberWithin(0, fields.Endless, lfMaxTags), timeout: p.Duration(lfTimeout),
			remember: lookup.Options{TTL: p.Duration(lfTTL), NegativeTTL: p.Duration(lfNegativeTTL), MaxEntries: p.NumberWithin(1, fields.Endless, lfMaxEntries)},
		}
		if (l.cache == "") == (l.file == "") {
			p.Keep(fmt.Errorf("reading lookup %s: %w", l.name, errSource))
		}
		c.lookups = append(c.lookups, l)
	}
	return c, err
}
