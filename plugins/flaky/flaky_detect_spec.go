package flaky

import (
	"math"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
)

const (
	fieldDefaultBranches = "default_branches"
	fieldQueueBranches   = "queue_branches"
	fieldVariantTags     = "variant_tags"
	fieldHostTags        = "host_tags"
	fieldRunIdle         = "run_idle"
	fieldRunCap          = "run_cap"
	fieldRunKeep         = "run_keep"
	fieldCommitTTL       = "commit_ttl"

	fieldStorm      = "storm_guard"
	fieldRetry      = "passed_on_retry"
	fieldFilter     = "three_state_filter"
	fieldTransition = "transition_count"
	fieldBroken     = "broken_test"
	fieldHealing    = "healing"

	fieldEnabled        = "enabled"
	fieldDryRun         = "dry_run"
	fieldMinFailures    = "min_failures"
	fieldFactor         = "factor"
	fieldShare          = "share"
	fieldShareTests     = "share_tests"
	fieldSignatureTests = "signature_tests"
	fieldHostChance     = "host_chance"
	fieldBranches       = "branches"
	fieldWindow         = "window"
	fieldQuick          = "quick"
	fieldWait           = "wait"
	fieldAlarm          = "alarm"
	fieldRecover        = "recover"
	fieldSuspect        = "suspect"
	fieldTransitions    = "transitions"
	fieldDetects        = "detects"
	fieldCommits        = "commits"
	fieldPosterior      = "posterior"
	fieldMinRuns        = "min_runs"
	fieldMaxRuns        = "max_runs"
	fieldQuiet          = "quiet"
	fieldGap            = "gap"
	fieldStale          = "stale"
)

func detectSpec() *service.ConfigSpec {
	defaults := detect.DefaultSettings()
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine").
		Summary("Finds flaky tests, broken tests and infrastructure storms while executions pass, and says so as verdicts.").
		Description(detectDescription).
		Field(stateful.Field("tests")).
		Field(service.NewStringListField(fieldVariantTags).Default(anyOf(defaults.VariantTags)).
			Description("The tags that tell the variants of a test apart. A failure on one variant and a pass on another say nothing about flakiness.")).
		Field(service.NewStringListField(fieldHostTags).Default(anyOf(defaults.HostTags)).
			Description("The tags that name the host a test ran on; the first that is present counts.")).
		Field(service.NewStringListField(fieldDefaultBranches).Default(anyOf(defaults.DefaultBranches)).
			Description("The default branch of suites whose uploads do not name it: the first of these that is seen.")).
		Field(service.NewStringListField(fieldQueueBranches).Default(anyOf(defaults.QueueBranches)).
			Description("How the branches of a merge queue begin. The filter follows them only where the default branch itself is not tested.")).
		Field(fields.NewDuration(fieldRunIdle).Default("2m").
			Description("After how long without an upload a run closes. What a test showed counts when its run closes.")).
		Field(fields.NewDuration(fieldRunCap).Default("30m").
			Description("How long after its first upload a run closes at the latest.")).
		Field(fields.NewDuration(fieldRunKeep).Default("24h").Advanced().
			Description("For how long a later upload reopens a closed run.")).
		Field(fields.NewDuration(fieldCommitTTL).Default("336h").Advanced().
			Description("For how long a pass and a failure on one commit are seen together.")).
		Field(stormField(defaults.Storm)).
		Field(retryField()).
		Field(filterField(defaults.Filter)).
		Field(transitionField(defaults.Transition)).
		Field(brokenField(defaults.Broken)).
		Field(healingField(defaults.Healing)).
		Example("Detection behind an upload log",
			"Where a log numbers the uploads, the state is rebuilt from it exactly.",
			`
pipeline:
  processors:
    - label: decode_uploads
      upload_decode: {}
    - label: detect_flaky_tests
      flaky_detect:
        transition_count:
          window: 50
          alarm: 0.1
          recover: 0.02
`)
}

func anyOf(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// monitorField begins the object of a monitor.
func monitorField(name, description string, more ...*service.ConfigField) *service.ConfigField {
	all := []*service.ConfigField{
		service.NewBoolField(fieldEnabled).Default(true).Description("Whether this monitor looks at tests at all."),
		service.NewBoolField(fieldDryRun).Default(false).
			Description("Mark the verdicts this monitor decides: their evidence has `numbers.dry_run` 1 and a note that begins with \"dry run\"."),
	}
	return service.NewObjectField(name, append(all, more...)...).Description(description)
}

func stormField(d detect.Storm) *service.ConfigField {
	return service.NewObjectField(fieldStorm,
		service.NewBoolField(fieldEnabled).Default(!d.Disabled).
			Description("Whether failures of a storm are kept out of what is concluded about tests."),
		fields.NewNumber(fieldMinFailures, 1, fields.Endless).Default(d.MinFailures).
			Description("How many failing tests make a storm at the least."),
		fields.NewDecimal(fieldFactor, 0, math.Inf(1)).Default(d.Factor).
			Description("How many times more than usual must fail: than the median of the last 100 runs of this kind, plus one."),
		fields.NewShare(fieldShare).Default(d.Share).Description("The share of executions that makes a storm whatever is usual."),
		fields.NewNumber(fieldShareTests, 1, fields.Endless).Default(d.ShareTests).Description("How many tests must fail for the share to count."),
		fields.NewNumber(fieldSignatureTests, 1, fields.Endless).Default(d.SignatureTests).
			Description("How many tests of one run that fail with one message are a cluster."),
		fields.NewShare(fieldHostChance).Default(d.HostChance).
			Description("A host is at fault when the chance of its failures, measured by the other hosts, is below this."),
		fields.NewNumber(fieldBranches, 1, fields.Endless).Default(d.Branches).
			Description("On how many branches one message within the window, in several tests, is an incident."),
		fields.NewDuration(fieldWindow).Default("1h").Description("How far back hosts and branches are compared."),
	).Description("Which failures are the infrastructure's and not the tests'.")
}

func retryField() *service.ConfigField {
	return monitorField(fieldRetry, "Weighs a pass and a failure of a test on one commit, on any branch.",
		fields.NewDuration(fieldQuick).Default("30m").
			Description("A pass later than this after the failure is weak evidence: code or world may have moved."),
		fields.NewDuration(fieldWait).Default("40m").
			Description("How long evidence waits, so that what fails near it is known, before and after, until it counts in full. What fails further away in time counts less. An hour and a half of evidence is one episode: it may have one cause."))
}

func filterField(d detect.ThreeStateFilter) *service.ConfigField {
	return monitorField(fieldFilter, "A Bayes filter over the default branch in commit order: is the test healthy, flaky or broken?",
		fields.NewShare(fieldAlarm).Default(d.Alarm).Description("The belief in flakiness at which `flaky.detected` is said. Two retries that pass, hours apart, reach 0.95; with 0.97 about half as many verdicts are wrong, and they come about half a failing run later."),
		fields.NewShare(fieldSuspect).Default(d.Suspect).Description("The belief at which `flaky.suspected` is said."),
		fields.NewShare(fieldRecover).Default(d.Recover).Description("The belief at which a suspicion ends."))
}

func transitionField(d detect.TransitionCount) *service.ConfigField {
	return monitorField(fieldTransition, "Changes between passed and failed among the last results of the default branch, divided by the window.",
		fields.NewNumber(fieldWindow, 2, 112).Default(d.Window).Description("How many results the window holds, up to 112."),
		fields.NewShare(fieldAlarm).Default(d.Alarm).Description("The score at or above which the monitor is in alarm."),
		fields.NewShare(fieldRecover).Default(d.Recover).Description("The score at or below which the alarm ends."),
		service.NewStringEnumField(fieldTransitions, "both", "passed_to_failed", "failed_to_passed").Default(d.Transitions).
			Description("Which changes count."),
		service.NewBoolField(fieldDetects).Default(d.Detects).
			Description("Let the alarm alone say `flaky.detected`; otherwise it says `flaky.suspected`. Two of three such alarms follow a break or a storm."))
}

func brokenField(d detect.BrokenTest) *service.ConfigField {
	return monitorField(fieldBroken, "Says `test.broken` and `test.fixed` on the default branch, for flaky tests too.",
		fields.NewNumber(fieldCommits, 1, fields.Endless).Default(d.Commits).Description("How many failing commits in a row break a test."),
		fields.NewShare(fieldPosterior).Default(d.Posterior).Description("The belief in a break that suffices after two failing commits."))
}

func healingField(d detect.Healing) *service.ConfigField {
	return service.NewObjectField(fieldHealing,
		fields.NewDecimal(fieldFactor, 0, math.Inf(1)).Default(d.Factor).
			Description("The clean runs needed are this divided by the failure rate seen."),
		fields.NewNumber(fieldMinRuns, 1, fields.Endless).Default(d.MinRuns).Description("Never fewer clean runs than this."),
		fields.NewNumber(fieldMaxRuns, 1, fields.Endless).Default(d.MaxRuns).Description("Never more clean runs than this."),
		fields.NewDuration(fieldQuiet).Default("168h").Description("The least time without a failure."),
		fields.NewDecimal(fieldGap, 0, math.Inf(1)).Default(d.Gap).
			Description("How many times the longest gap between two failures must pass without one."),
		fields.NewDuration(fieldStale).Default("720h").
			Description("After how long without a failure a flaky test that does not run often enough to heal is `flaky.stale`."),
	).Description("When a flaky test is healed.")
}

const detectDescription = `
Takes blocks of executions (from ` + "`upload_decode`" + `) and lets them pass unchanged. Behind a block follow the messages it led to: verdicts (` + "`testengine_kind`" + ` is ` + "`verdict`" + `) and what happened to runs (` + "`run`" + `: opened, closed, reopened). A run closes after ` + "`run_idle`" + ` without uploads; what its tests showed is weighed then, when all of the run is known.

Verdicts are ` + "`flaky.suspected`" + ` on the first piece of evidence, ` + "`flaky.detected`" + ` when enough independent evidence is there, ` + "`flaky.updated`" + `, ` + "`flaky.healed`" + `, ` + "`flaky.stale`" + `, ` + "`flaky.retracted`" + `, ` + "`test.broken`" + `, ` + "`test.fixed`" + `, ` + "`infra.incident.opened`" + ` and ` + "`infra.incident.closed`" + `. Each carries its evidence, the probability that it is right, and rule and version; its id is the same whenever the same log is read again.

When a state is restored that was computed under other rules, the records behind it are done again under the present ones, silently. The first record after them then says anew what holds for every test that they touched; ` + "`flaky.retracted`" + ` where nothing holds.

Time is the log's (metadata ` + "`log_time`, else `received_at`" + `): a replay says what was said the first time. Results that are missing, skipped or pending, and errors of a whole suite, are never evidence.

Every threshold can be set for one suite: in the suites file, under ` + "`detection`" + `, with these fields written as here, or by a message of kind ` + "`change`" + ` and type ` + "`detection`" + `, whose body is JSON with the names of these fields (durations as ` + "`…_ms`" + ` in milliseconds, ` + "`disabled`" + ` instead of ` + "`enabled`" + `).

### Metrics

- ` + "`testengine_flaky_verdicts_total`" + ` with label ` + "`type`" + `.
- ` + "`testengine_flaky_runs_total`" + ` with label ` + "`event`" + `.
`
