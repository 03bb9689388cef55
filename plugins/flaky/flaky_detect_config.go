package flaky

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

// reader reads fields until one cannot be read.
type reader struct {
	conf *service.ParsedConfig
	err  error
}

func (r *reader) at(name string) *reader {
	return &reader{conf: r.conf.Namespace(name)}
}

func read[T any](r *reader, to *T, name string, get func(...string) (T, error)) {
	if r.err != nil {
		return
	}
	value, err := get(name)
	if err != nil {
		r.err = fmt.Errorf("reading %s: %w", name, err)
		return
	}
	*to = value
}

func (r *reader) integer(to *int, name string)   { read(r, to, name, r.conf.FieldInt) }
func (r *reader) float(to *float64, name string) { read(r, to, name, r.conf.FieldFloat) }

func (r *reader) duration(to *int64, name string) {
	value, err := fields.Duration(r.conf, name)
	if r.err == nil {
		r.err = err
	}
	*to = value.Milliseconds()
}

func (r *reader) disabled(to *bool) {
	enabled := true
	read(r, &enabled, fieldEnabled, r.conf.FieldBool)
	*to = !enabled
}

func (r *reader) monitor(to *detect.Monitor) {
	r.disabled(&to.Disabled)
	read(r, &to.DryRun, fieldDryRun, r.conf.FieldBool)
}

func settingsFromParsed(conf *service.ParsedConfig) (detect.Settings, error) {
	s := detect.DefaultSettings()
	r := &reader{conf: conf}
	read(r, &s.VariantTags, fieldVariantTags, conf.FieldStringList)
	read(r, &s.HostTags, fieldHostTags, conf.FieldStringList)
	read(r, &s.DefaultBranches, fieldDefaultBranches, conf.FieldStringList)
	read(r, &s.QueueBranches, fieldQueueBranches, conf.FieldStringList)
	r.duration(&s.RunIdle, fieldRunIdle)
	r.duration(&s.RunCap, fieldRunCap)
	r.duration(&s.RunKeep, fieldRunKeep)
	r.duration(&s.CommitTTL, fieldCommitTTL)
	for _, part := range []func(*reader, *detect.Settings) error{
		readStorm, readRetry, readFilter, readTransition, readBroken, readHealing,
	} {
		if r.err == nil {
			r.err = part(r, &s)
		}
	}
	if r.err != nil {
		return s, r.err
	}
	return s, s.Check()
}

func readStorm(root *reader, s *detect.Settings) error {
	r := root.at(fieldStorm)
	r.disabled(&s.Storm.Disabled)
	r.integer(&s.Storm.MinFailures, fieldMinFailures)
	r.float(&s.Storm.Factor, fieldFactor)
	r.float(&s.Storm.Share, fieldShare)
	r.integer(&s.Storm.ShareTests, fieldShareTests)
	r.integer(&s.Storm.SignatureTests, fieldSignatureTests)
	r.float(&s.Storm.HostChance, fieldHostChance)
	r.integer(&s.Storm.Branches, fieldBranches)
	r.duration(&s.Storm.Window, fieldWindow)
	return r.err
}

func readRetry(root *reader, s *detect.Settings) error {
	r := root.at(fieldRetry)
	r.monitor(&s.Retry.Monitor)
	r.duration(&s.Retry.Quick, fieldQuick)
	r.duration(&s.Retry.Wait, fieldWait)
	return r.err
}

func readFilter(root *reader, s *detect.Settings) error {
	r := root.at(fieldFilter)
	r.monitor(&s.Filter.Monitor)
	r.float(&s.Filter.Alarm, fieldAlarm)
	r.float(&s.Filter.Suspect, fieldSuspect)
	r.float(&s.Filter.Recover, fieldRecover)
	return r.err
}

func readTransition(root *reader, s *detect.Settings) error {
	r := root.at(fieldTransition)
	r.monitor(&s.Transition.Monitor)
	r.integer(&s.Transition.Window, fieldWindow)
	r.float(&s.Transition.Alarm, fieldAlarm)
	r.float(&s.Transition.Recover, fieldRecover)
	read(r, &s.Transition.Transitions, fieldTransitions, r.conf.FieldString)
	read(r, &s.Transition.Detects, fieldDetects, r.conf.FieldBool)
	return r.err
}

func readBroken(root *reader, s *detect.Settings) error {
	r := root.at(fieldBroken)
	r.monitor(&s.Broken.Monitor)
	r.integer(&s.Broken.Commits, fieldCommits)
	r.float(&s.Broken.Posterior, fieldPosterior)
	return r.err
}

func readHealing(root *reader, s *detect.Settings) error {
	r := root.at(fieldHealing)
	r.float(&s.Healing.Factor, fieldFactor)
	r.integer(&s.Healing.MinRuns, fieldMinRuns)
	r.integer(&s.Healing.MaxRuns, fieldMaxRuns)
	r.duration(&s.Healing.Quiet, fieldQuiet)
	r.float(&s.Healing.Gap, fieldGap)
	r.duration(&s.Healing.Stale, fieldStale)
	return r.err
}
