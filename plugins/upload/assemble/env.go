package assemble

import (
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// envKeyBytes is how long a key of run_env may be; all that are known are shorter.
const envKeyBytes = 255

// Env takes one pair of run_env. The first non-empty value of a key counts; CI
// and ci are the same key.
func (b *Builder) Env(key, value string) {
	if value == "" {
		return
	}
	if len(key) > envKeyBytes {
		b.Envelope("run_env", "the key is too long: this one was dropped", key)
		return
	}
	if len(value) > b.limits.EnvBytes && key != "key" {
		b.Envelope("run_env", "the value is too long: it was cut", key)
		value = testengine.CutText(value, b.limits.EnvBytes)
	}
	// The upload's facts are copies: who keeps a run's key must not keep the whole body alive with it.
	if field := b.envField(key); field != nil {
		if *field == "" {
			*field = strings.Clone(value)
		}
		return
	}
	env := b.upload.Env
	for i := range env {
		if env[i].Key == key {
			return
		}
	}
	if len(env) >= b.limits.EnvKeys {
		b.Envelope("run_env", "too many keys: this one was dropped", key)
		return
	}
	b.upload.Env = append(env, testengine.Tag{Key: strings.Clone(key), Value: strings.Clone(value)})
}

func (b *Builder) envField(key string) *string {
	u := b.upload
	switch key {
	case "CI", "ci":
		return &u.CI
	case "key":
		return &u.RunKey
	case "url":
		return &u.URL
	case "branch":
		return &u.Branch
	case "commit_sha":
		return &u.CommitSHA
	case "number":
		return &u.Number
	case "job_id":
		return &u.JobID
	case "message":
		return &u.Message
	case "collector":
		return &u.Collector
	case "version":
		return &u.CollectorVersion
	case "test_runner":
		return &u.TestRunner
	case "language_version":
		return &u.LanguageVersion
	case "location_prefix":
		return &u.LocationPrefix
	case "execution_name_prefix":
		return &u.NamePrefix
	case "execution_name_suffix":
		return &u.NameSuffix
	}
	return nil
}

func sortEnv(env []testengine.Tag) {
	slices.SortFunc(env, func(a, b testengine.Tag) int { return strings.Compare(a.Key, b.Key) })
}
