package flaky

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

func settingsFromParsed(conf *service.ParsedConfig) (s detect.Settings, err error) {
	s = detect.DefaultSettings()
	r := fields.Into(&err, conf)
	s.VariantTags = r.List(fieldVariantTags)
	s.HostTags = r.List(fieldHostTags)
	s.DefaultBranches = r.List(fieldDefaultBranches)
	s.QueueBranches = r.List(fieldQueueBranches)
	s.RunIdle = r.Duration(fieldRunIdle).Milliseconds()
	s.RunCap = r.Duration(fieldRunCap).Milliseconds()
	s.RunKeep = r.Duration(fieldRunKeep).Milliseconds()
	s.CommitTTL = r.Duration(fieldCommitTTL).Milliseconds()
	readStorm(r.Within(fieldStorm), &s.Storm)
	readRetry(r.Within(fieldRetry), &s.Retry)
	readFilter(r.Within(fieldFilter), &s.Filter)
	readTransition(r.Within(fieldTransition), &s.Transition)
	readBroken(r.Within(fieldBroken), &s.Broken)
	readHealing(r.Within(fieldHealing), &s.Healing)
	if err != nil {
		return s, err
	}
	return s, s.Check()
}

func readMonitor(r fields.Reader, to *detect.Monitor) {
	to.Disabled = !r.Truth(fieldEnabled)
	to.DryRun = r.Truth(fieldDryRun)
}

func readStorm(r fields.Reader, to *detect.Storm) {
	to.Disabled = !r.Truth(fieldEnabled)
	to.MinFailures = r.Number(fieldMinFailures)
	to.Factor = r.Fraction(fieldFactor)
	to.Share = r.Fraction(fieldShare)
	to.ShareTests = r.Number(fieldShareTests)
	to.SignatureTests = r.Number(fieldSignatureTests)
	to.HostChance = r.Fraction(fieldHostChance)
	to.Branches = r.Number(fieldBranches)
	to.Window = r.Duration(fieldWindow).Milliseconds()
}

func readRetry(r fields.Reader, to *detect.PassedOnRetry) {
	readMonitor(r, &to.Monitor)
	to.Quick = r.Duration(fieldQuick).Milliseconds()
	to.Wait = r.Duration(fieldWait).Milliseconds()
}

func readFilter(r fields.Reader, to *detect.ThreeStateFilter) {
	readMonitor(r, &to.Monitor)
	to.Alarm = r.Fraction(fieldAlarm)
	to.Suspect = r.Fraction(fieldSuspect)
	to.Recover = r.Fraction(fieldRecover)
}

func readTransition(r fields.Reader, to *detect.TransitionCount) {
	readMonitor(r, &to.Monitor)
	to.Window = r.Number(fieldWindow)
	to.Alarm = r.Fraction(fieldAlarm)
	to.Recover = r.Fraction(fieldRecover)
	to.Transitions = r.Text(fieldTransitions)
	to.Detects = r.Truth(fieldDetects)
}

func readBroken(r fields.Reader, to *detect.BrokenTest) {
	readMonitor(r, &to.Monitor)
	to.Commits = r.Number(fieldCommits)
	to.Posterior = r.Fraction(fieldPosterior)
}

func readHealing(r fields.Reader, to *detect.Healing) {
	to.Factor = r.Fraction(fieldFactor)
	to.MinRuns = r.Number(fieldMinRuns)
	to.MaxRuns = r.Number(fieldMaxRuns)
	to.Quiet = r.Duration(fieldQuiet).Milliseconds()
	to.Gap = r.Fraction(fieldGap)
	to.Stale = r.Duration(fieldStale).Milliseconds()
}
