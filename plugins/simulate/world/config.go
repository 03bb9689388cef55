// Package world invents the CI traffic of an organisation: suites, commits on
// main, pull requests, a merge queue, retries, regressions with their fixes,
// infrastructure storms, and flaky tests of several kinds. It knows the truth
// of what it invents. Everything is a function of the configuration and its
// seed: the same seed writes the same bytes.
//
// Time in here is world time: milliseconds since the world began, at midnight.
// Who reads the uploads says which real moment that was (SetOffset).
package world

import "fmt"

// Milliseconds of a second, a minute, an hour and a day.
const (
	Second = int64(1000)
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// maxUploadExecutions is the most executions in one upload, as collectors send
// at most 5,000; a suite with more tests gets more jobs.
const maxUploadExecutions = 5000

// Config says what kind of world it is.
type Config struct {
	Seed         uint64
	Organization string
	Suites       int
	// TestsPerSuite counts the tests of one suite, those that are added later included.
	TestsPerSuite int
	// Days is the length of the history: flakiness begins and ends, and tests are added, within it.
	Days int
	// CommitsPerDay counts the commits that reach main, in one suite.
	CommitsPerDay int
	// Branches is how many pull requests are open at once, in one suite; 0 means work on main only.
	Branches int
	// Jobs is the number of parallel jobs of a run; each sends an upload.
	Jobs int
	// Hosts is the number of agents that the suites share.
	Hosts int
	// Retries is how often a failed test is tried again in its run.
	Retries int
	// FlakyShare is the share of tests that are flaky, 0..1.
	FlakyShare float64
	// RegressionShare is the share of pull requests that break something, 0..1.
	RegressionShare float64
	// StormsPerDay is the mean number of infrastructure incidents a day.
	StormsPerDay float64
	// DuplicateShare is the share of uploads that are delivered twice, 0..1.
	DuplicateShare float64
}

// Check says what is wrong with the configuration in one sentence.
func (c Config) Check() error {
	for _, field := range []struct {
		name       string
		value, min int
	}{
		{"suites", c.Suites, 1},
		{"tests_per_suite", c.TestsPerSuite, 1},
		{"days", c.Days, 0},
		{"commits_per_day", c.CommitsPerDay, 1},
		{"branches", c.Branches, 0},
		{"jobs", c.Jobs, 1},
		{"hosts", c.Hosts, 1},
		{"retries", c.Retries, 0},
	} {
		if field.value < field.min {
			return fmt.Errorf("%s must be at least %d, got %d", field.name, field.min, field.value)
		}
	}
	for _, field := range []struct {
		name  string
		value float64
	}{
		{"flaky_share", c.FlakyShare}, {"regression_share", c.RegressionShare}, {"duplicate_share", c.DuplicateShare},
	} {
		if !(field.value >= 0 && field.value <= 1) {
			return fmt.Errorf("%s must be between 0 and 1, got %v", field.name, field.value)
		}
	}
	if !(c.StormsPerDay >= 0 && c.StormsPerDay <= 1000) {
		return fmt.Errorf("storms_per_day must be between 0 and 1000, got %v", c.StormsPerDay)
	}
	return nil
}

// jobs is the number of jobs a run needs so that no upload grows beyond the limit.
func (c Config) jobs() int {
	least := (c.TestsPerSuite + maxUploadExecutions - 1) / maxUploadExecutions
	return max(c.Jobs, least)
}
