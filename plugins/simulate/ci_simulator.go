package simulate

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
)

const (
	sfOrganization    = "organization"
	sfSeed            = "seed"
	sfSuites          = "suites"
	sfTestsPerSuite   = "tests_per_suite"
	sfDays            = "days"
	sfUntil           = "until"
	sfLiveInterval    = "live_interval"
	sfCommitsPerDay   = "commits_per_day"
	sfBranches        = "branches"
	sfJobs            = "jobs"
	sfHosts           = "hosts"
	sfRetries         = "retries"
	sfFlakyShare      = "flaky_share"
	sfRegressionShare = "regression_share"
	sfStormsPerDay    = "storms_per_day"
	sfDuplicateShare  = "duplicate_share"
	sfBatchUploads    = "batch_uploads"
	sfListener        = "listener"
	sfTruthFile       = "truth_file"
	sfPositionFile    = "position_file"
)

func init() {
	service.MustRegisterBatchInput("ci_simulator", simulatorSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			config, err := simulatorFromParsed(conf, time.Now())
			if err != nil {
				return nil, err
			}
			input, err := newSimulator(config, res, time.Now)
			if err != nil {
				return nil, err
			}
			return service.AutoRetryNacksBatched(input), nil
		})
}

func simulatorSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Utility").
		Summary("Invents the uploads of a CI with known flaky tests: first a history as fast as it can, then live.").
		Description(`The bodies are those of the Jest, RSpec and pytest collectors. They come from commits on main, pull requests, a merge queue, nightly builds and retries, with regressions and their fixes, infrastructure incidents, slow hosts, new tests, uploads delivered twice, and flaky tests of six kinds (constant, bursty, time of day, order dependent, host bound, retry-proof). Suites take the three collectors in turn; every second suite has a merge queue.

`+"`received_at`"+` is set by this input: it leads through the history up to `+"`until`"+`, never beyond now, so days pass in seconds. After that an upload comes every `+"`live_interval`"+`.

The same seed and settings give the same bytes. What is true can be asked for: `+"`GET /simulator/truth`"+` on the listener, or the truth file, say of each test that is flaky or has failed what kind it is, how often it fails, since when, and how many of its failures so far were flaky, a regression or an incident; `+"`?stable=true`"+` adds all other tests.`).
		Fields(worldFields()...).
		Fields(
			service.NewStringField(sfUntil).
				Description("Where the history ends, as RFC 3339, not later than now. Empty is the moment of the start. The history begins at midnight UTC, `days` days before.").
				Default("").
				Example("2026-11-23T00:00:00Z"),
			fields.NewDuration(sfLiveInterval).
				Description("The time between two uploads once the history has been sent. `0s` ends the input there.").
				Default("1500ms"),
			fields.NewNumber(sfBatchUploads, 1, fields.Endless).
				Description("The most uploads in one batch of the history.").
				Default(16).Advanced(),
			service.NewStringField(sfListener).
				Description("Label of the `http_listener` on which the truth is served. Empty serves it nowhere. Whoever reaches the listener can read it.").
				Default(""),
			service.NewStringField(sfTruthFile).
				Description("A file into which the truth is written when the history has been sent, every 30 seconds after that, and at the end. Empty writes none.").
				Default(""),
			service.NewStringField(sfPositionFile).
				Description("A file that remembers what has been delivered, so that a restart goes on live instead of sending the history again. Empty begins anew at each start. It belongs to the log's folder: remove both or none.").
				Default(""),
		).
		Example("A demo", "Two weeks of three suites, then an upload every second or two.", `
http_listener:
  - label: listener

input:
  ci_simulator:
    suites: 3
    tests_per_suite: 300
    days: 14
    listener: listener
`)
}

func worldFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(sfOrganization).Description("The organisation that the uploads belong to.").Default("local"),
		service.NewIntField(sfSeed).Description("Another number, another world.").Default(1),
		fields.NewNumber(sfSuites, 1, fields.Endless).Description("How many suites send uploads.").Default(3),
		fields.NewNumber(sfTestsPerSuite, 1, fields.Endless).Description("How many tests a suite has, those that are added during the history included.").Default(300),
		fields.NewNumber(sfDays, 0, fields.Endless).Description("Length of the history in days.").Default(14),
		fields.NewNumber(sfCommitsPerDay, 1, fields.Endless).Description("Commits that reach main, in each suite. A commit costs about four runs: pull request, queue, main.").Default(20),
		fields.NewNumber(sfBranches, 0, fields.Endless).Description("Pull requests open at once, in each suite. 0 is work on main only.").Default(8),
		fields.NewNumber(sfJobs, 1, fields.Endless).Description("Parallel jobs of a run; each sends an upload. Suites above 5,000 tests a job get more.").Default(2),
		fields.NewNumber(sfHosts, 1, fields.Endless).Description("Agents that run the jobs. One in eight is slow.").Default(12),
		fields.NewNumber(sfRetries, 0, fields.Endless).Description("How often a failed test is tried again on the same commit.").Default(1),
		fields.NewShare(sfFlakyShare).Description("Share of the tests that are flaky, 0 to 1.").Default(0.02),
		fields.NewShare(sfRegressionShare).Description("Share of the pull requests that break something, 0 to 1.").Default(0.15),
		fields.NewDecimal(sfStormsPerDay, 0, 1000).Description("Incidents of the infrastructure in a day.").Default(0.8),
		fields.NewShare(sfDuplicateShare).Description("Share of the uploads that are delivered twice, 0 to 1.").Default(0.005).Advanced(),
	}
}

// simulatorConfig is the parsed configuration of ci_simulator.
type simulatorConfig struct {
	world        world.Config
	until        time.Time
	liveInterval time.Duration
	batchUploads int
	listener     string
	truthFile    string
	positionFile string
}

func simulatorFromParsed(conf *service.ParsedConfig, now time.Time) (c simulatorConfig, err error) {
	p := fields.Into(&err, conf)
	c.world = world.Config{
		Seed: uint64(p.Number(sfSeed)), Organization: p.Text(sfOrganization),
		Suites: p.Number(sfSuites), TestsPerSuite: p.Number(sfTestsPerSuite), Days: p.Number(sfDays),
		CommitsPerDay: p.Number(sfCommitsPerDay), Branches: p.Number(sfBranches), Jobs: p.Number(sfJobs),
		Hosts: p.Number(sfHosts), Retries: p.Number(sfRetries), FlakyShare: p.Fraction(sfFlakyShare),
		RegressionShare: p.Fraction(sfRegressionShare), StormsPerDay: p.Fraction(sfStormsPerDay),
		DuplicateShare: p.Fraction(sfDuplicateShare),
	}
	c.liveInterval = p.Duration(sfLiveInterval)
	c.batchUploads = p.NumberWithin(1, fields.Endless, sfBatchUploads)
	c.listener = p.Text(sfListener)
	c.truthFile = p.Text(sfTruthFile)
	c.positionFile = p.Text(sfPositionFile)
	c.until = now
	if until := p.Text(sfUntil); until != "" && err == nil {
		if c.until, err = time.Parse(time.RFC3339, until); err != nil {
			return c, fmt.Errorf("reading %s: %q is no RFC 3339 time such as 2026-11-23T00:00:00Z", sfUntil, until)
		}
		if c.until.After(now) {
			return c, fmt.Errorf("reading %s: %s is later than now; uploads cannot come from the future", sfUntil, until)
		}
	}
	if err != nil {
		return c, err
	}
	return c, c.world.Check()
}
