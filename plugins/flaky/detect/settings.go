package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// RulesVersion grows with every change of the rules that can change a verdict.
const RulesVersion = 3

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// Settings are the monitors' thresholds. The JSON of a change of type
// "detection" has the same names; what it leaves out stays as configured.
// Shares, chances and beliefs are 0 to 1.
type Settings struct {
	// DefaultBranches are taken as default branch, first first, when uploads name none.
	DefaultBranches []string `json:"default_branches"`
	// QueueBranches are prefixes of the branches of a merge queue.
	QueueBranches []string `json:"queue_branches"`
	// VariantTags are the keys of the tags that tell the variants of a test apart.
	VariantTags []string `json:"variant_tags"`
	// HostTags are the keys of the tags that name a host; the first that an execution has counts.
	HostTags []string `json:"host_tags"`

	// RunIdle is how long after its last upload a run closes, in milliseconds.
	RunIdle int64 `json:"run_idle_ms"`
	// RunCap is how long after its first upload a run closes at the latest, in milliseconds.
	RunCap int64 `json:"run_cap_ms"`
	// RunKeep is how long a later upload reopens a closed run, in milliseconds.
	RunKeep int64 `json:"run_keep_ms"`
	// CommitTTL is how long results of one commit are compared, in milliseconds.
	CommitTTL int64 `json:"commit_ttl_ms"`

	Storm      Storm            `json:"storm_guard"`
	Retry      PassedOnRetry    `json:"passed_on_retry"`
	Filter     ThreeStateFilter `json:"three_state_filter"`
	Transition TransitionCount  `json:"transition_count"`
	Broken     BrokenTest       `json:"broken_test"`
	Healing    Healing          `json:"healing"`
}

// Storm says when failures of a run are the infrastructure's, not the tests'.
type Storm struct {
	Disabled bool `json:"disabled"`
	// MinFailures is how many failing tests of a run make a storm at the least.
	MinFailures int `json:"min_failures"`
	// Factor is how many times the usual number of failing tests, plus one, makes a storm.
	Factor float64 `json:"factor"`
	// Share of a run's executions makes a storm whatever is usual, when at least
	// ShareTests tests fail.
	Share      float64 `json:"share"`
	ShareTests int     `json:"share_tests"`
	// SignatureTests is how many tests of a run that fail with one message are a cluster.
	SignatureTests int `json:"signature_tests"`
	// HostChance is below which chance of its failures, by the other hosts, a host is at fault.
	HostChance float64 `json:"host_chance"`
	// Branches is on how many branches one message within Window is an incident.
	Branches int `json:"branches"`
	// Window is how far back hosts and branches are compared, in milliseconds.
	Window int64 `json:"window_ms"`
}

// Monitor is what all monitors have.
type Monitor struct {
	// Disabled monitors look at nothing.
	Disabled bool `json:"disabled"`
	// DryRun marks the verdicts that the monitor decides.
	DryRun bool `json:"dry_run"`
}

// PassedOnRetry weighs a pass and a failure on one commit.
type PassedOnRetry struct {
	Monitor
	// Quick is the longest time between failure and pass of a retry, in milliseconds.
	Quick int64 `json:"quick_ms"`
	// Wait is how long evidence waits before it counts in full, in milliseconds, so
	// that what fails near it is known, before and after.
	Wait int64 `json:"wait_ms"`
}

// ThreeStateFilter is the Bayes filter over the default branch. Its thresholds
// are beliefs that the test is flaky.
type ThreeStateFilter struct {
	Monitor
	// Alarm is from which belief on the test is detected.
	Alarm float64 `json:"alarm"`
	// Recover is at which belief a suspicion ends; lower than Alarm.
	Recover float64 `json:"recover"`
	// Suspect is from which belief on the test is suspected.
	Suspect float64 `json:"suspect"`
}

// TransitionCount is Buildkite's monitor: changes between passed and failed
// among the last Window results, divided by Window, which is its score.
type TransitionCount struct {
	Monitor
	Window int `json:"window"`
	// Alarm is from which score on, Recover to which score down the monitor is in alarm.
	Alarm   float64 `json:"alarm"`
	Recover float64 `json:"recover"`
	// Transitions is both, passed_to_failed or failed_to_passed.
	Transitions string `json:"transitions"`
	// Detects lets the alarm alone say flaky.detected; otherwise it says flaky.suspected.
	Detects bool `json:"detects"`
}

// BrokenTest says when a test is broken: after Commits failing commits in a
// row, or after two when the belief in a break is at least Posterior.
type BrokenTest struct {
	Monitor
	Commits   int     `json:"commits"`
	Posterior float64 `json:"posterior"`
}

// Healing says how many clean runs a flaky test needs.
type Healing struct {
	// Factor divided by the failure rate seen is how many clean runs are needed,
	// but never fewer than MinRuns or more than MaxRuns.
	Factor  float64 `json:"factor"`
	MinRuns int     `json:"min_runs"`
	MaxRuns int     `json:"max_runs"`
	// Quiet is the least time without a failure, in milliseconds.
	Quiet int64 `json:"quiet_ms"`
	// Gap is how many times the longest gap between failures must pass without one.
	Gap float64 `json:"gap"`
	// Stale is after how long without a failure a test that runs too seldom to heal is stale, in milliseconds.
	Stale int64 `json:"stale_ms"`
}

// DefaultSettings are the documented defaults.
func DefaultSettings() Settings {
	return Settings{
		DefaultBranches: []string{"main", "master", "trunk", "develop"},
		QueueBranches:   []string{"gh-readonly-queue/", "trunk-merge/", "graphite-merge/"},
		VariantTags:     []string{"host.os", "host.arch", "language.version", "browser", "variant"},
		HostTags:        []string{"ci.worker.id", "host.id", "host.name"},
		RunIdle:         2 * minute, RunCap: 30 * minute, RunKeep: day, CommitTTL: 14 * day,
		Storm: Storm{
			MinFailures: 10, Factor: 8, Share: .5, ShareTests: 20, SignatureTests: 3,
			HostChance: 1e-4, Branches: 3, Window: hour,
		},
		Retry:      PassedOnRetry{Quick: 30 * minute, Wait: 40 * minute},
		Filter:     ThreeStateFilter{Alarm: .95, Recover: .05, Suspect: .2},
		Transition: TransitionCount{Window: 100, Alarm: .05, Recover: .01, Transitions: "both"},
		Broken:     BrokenTest{Commits: 3, Posterior: .9},
		Healing:    Healing{Factor: 4.6, MinRuns: 20, MaxRuns: 600, Gap: 2, Quiet: 7 * day, Stale: 30 * day},
	}
}

// maxSection bounds what a suite's own settings take in the state.
const maxSection = 32 << 10

// Override returns the settings with what body, a JSON object, names.
func (s Settings) Override(body []byte) (Settings, error) {
	switch {
	case len(body) == 0:
		return s, nil
	case len(body) > maxSection:
		return s, fmt.Errorf("reading the detection section: it has %d bytes, at most %d can be kept", len(body), maxSection)
	}
	// Lists are replaced, never merged into the memory of the defaults.
	changed := s
	changed.DefaultBranches = append([]string(nil), s.DefaultBranches...)
	changed.QueueBranches = append([]string(nil), s.QueueBranches...)
	changed.VariantTags = append([]string(nil), s.VariantTags...)
	changed.HostTags = append([]string(nil), s.HostTags...)
	if err := json.Unmarshal(body, &changed); err != nil {
		return s, fmt.Errorf("reading the detection section: %w", err)
	}
	if err := changed.Check(); err != nil {
		return s, err
	}
	return changed, nil
}

// Check returns what is wrong with the settings, in one sentence.
func (s *Settings) Check() error {
	if err := s.checkEach(); err != nil {
		return fmt.Errorf("checking %w", err)
	}
	switch {
	case s.Transition.Window < 2 || s.Transition.Window > maxWindow:
		return fmt.Errorf("checking transition_count: window must be 2 to %d", maxWindow)
	case s.Transition.Recover >= s.Transition.Alarm:
		return errors.New("checking transition_count: recover must be lower than alarm")
	case s.Filter.Recover >= s.Filter.Alarm:
		return errors.New("checking three_state_filter: recover must be lower than alarm")
	case s.RunIdle <= 0 || s.RunCap < s.RunIdle:
		return errors.New("checking runs: run_idle must be more than 0s, and run_cap no shorter")
	}
	switch s.Transition.Transitions {
	case "both", "passed_to_failed", "failed_to_passed":
		return nil
	}
	return errors.New("checking transition_count: transitions must be both, passed_to_failed or failed_to_passed")
}

// checkEach looks at the numbers that no other setting decides on.
func (s *Settings) checkEach() error {
	if err := s.checkShares(); err != nil {
		return err
	}
	return s.checkCounts()
}

// checkShares looks at shares and probabilities.
func (s *Settings) checkShares() error {
	for _, part := range []struct {
		name  string
		value float64
	}{
		{"storm_guard.share", s.Storm.Share},
		{"storm_guard.host_chance", s.Storm.HostChance},
		{"three_state_filter.alarm", s.Filter.Alarm},
		{"three_state_filter.recover", s.Filter.Recover},
		{"three_state_filter.suspect", s.Filter.Suspect},
		{"transition_count.alarm", s.Transition.Alarm},
		{"transition_count.recover", s.Transition.Recover},
		{"broken_test.posterior", s.Broken.Posterior},
	} {
		if !(part.value >= 0 && part.value <= 1) { // no number is neither
			return fmt.Errorf("%s: 0 to 1 is expected", part.name)
		}
	}
	return nil
}

// checkCounts looks at counts and factors, each alone.
func (s *Settings) checkCounts() error {
	for _, part := range []struct {
		name  string
		value int
	}{
		{"storm_guard.min_failures", s.Storm.MinFailures},
		{"storm_guard.share_tests", s.Storm.ShareTests},
		{"storm_guard.signature_tests", s.Storm.SignatureTests},
		{"storm_guard.branches", s.Storm.Branches},
		{"broken_test.commits", s.Broken.Commits},
		{"healing.min_runs", s.Healing.MinRuns},
		{"healing.max_runs", s.Healing.MaxRuns},
	} {
		if part.value < 1 {
			return fmt.Errorf("%s: at least 1 is expected", part.name)
		}
	}
	for _, part := range []struct {
		name  string
		value float64
	}{
		{"storm_guard.factor", s.Storm.Factor},
		{"healing.factor", s.Healing.Factor},
		{"healing.gap", s.Healing.Gap},
	} {
		if !(part.value >= 0) || math.IsInf(part.value, 1) { // no number is neither
			return fmt.Errorf("%s: a number from 0 on is expected", part.name)
		}
	}
	return nil
}

// Logic names rules and settings: state written under another name may have
// come from other decisions.
func (s *Settings) Logic() string {
	body, err := json.Marshal(s)
	if err != nil {
		body = []byte(err.Error())
	}
	return fmt.Sprintf("rules-%d-%s", RulesVersion, testengine.FormatID(testengine.Hash(RulesVersion, string(body))))
}

func (s *Settings) isQueue(branch string) bool {
	for _, prefix := range s.QueueBranches {
		if strings.HasPrefix(branch, prefix) {
			return true
		}
	}
	return false
}

// preference is the place of a branch among the names taken as default branch.
func (s *Settings) preference(branch string) (place int, ok bool) {
	for i, name := range s.DefaultBranches {
		if name == branch {
			return i, true
		}
	}
	return 0, false
}
