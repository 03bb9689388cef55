// Package detect decides which tests are flaky, which are broken and what was
// a storm. It is a pure function of the records of a log: no clock, no
// randomness, no order of maps shows in what it says.
//
// What comes in: engine.go fires timers and takes changes, block.go takes
// executions (passes there, failures in failure.go), lifecycle.go opens runs and
// closes them when all that they can show is known.
//
// What is concluded when a run closes: scene.go looks over the run, guard.go and
// incident.go say what was a storm, and the monitors judge. monitor.go has their
// table; retry.go weighs what passed and failed on one commit, observe.go what
// the default branch shows. evidence.go and odds.go say what a piece is worth by
// the weights of weights.go and weights_fitted.go, and verdict.go says it.
//
// What is remembered: suite.go, run.go, commit.go, and of a test that failed
// record.go and names.go; state.go has the keys. Two tests of one name are parted
// by shared.go, variants of one test told of each other by siblings.go. restate.go
// and divide.go take over what other rules wrote, or another number of partitions.
package detect
