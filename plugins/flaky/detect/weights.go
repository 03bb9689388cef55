package detect

// weights are the log-odds that evidence adds, natural logarithms. They were
// fitted together, by a logistic regression with a little shrinkage (ridge 2),
// on every judgement about every test of two unlike families of adversarial
// worlds: seeds 21 and 22 of this package's tests and 1 to 5 of
// tests/histories/adversary; at most the first 20 judgements of a test count.
// So their sum is calibrated: of the tests with a sum that means 0.9, nine in
// ten were flaky. Both families alone give nearly the same numbers. What one
// family tells better than life would (variants fail independently there) is
// halved. The tests measure calibration and precision on other seeds.
var weights = struct {
	// bias and line turn the filter's belief about the line into log-odds.
	bias, line float32
	// settled is an episode whose surroundings are known, fresh one that waits
	// for them; again and freshAgain are its further pieces.
	settled, fresh    [pieceKinds][crowdSizes]float32
	again, freshAgain [crowdSizes]float32
	// same is an episode with a message that an earlier one had, alone or in a
	// crowd. near is one on the day of another: bursts are commoner than storms
	// that strike a test alone twice.
	same [2]float32
	near float32
	// sibling is the share of an episode that holds for the other variants.
	sibling float32
	// solid is a failure on the line that lasted for commits or that a retry did
	// not mend; split one of a single commit that another variant passed. A single
	// failure without more is the filter's to judge.
	solid, split float32
	// branch is a failure on a branch, where work fails: split or not, and alone
	// or in a crowd.
	branch [2][2]float32
}{
	bias: 2, line: .88,
	settled: [pieceKinds][crowdSizes]float32{
		pieceRetry:  {3.5, 3.2, 1.9, -1.1},
		pieceOther:  {2.8, 2.8, 1.5, -.9},
		pieceOutage: {.6, .4, -.8, -.8},
	},
	fresh: [pieceKinds][crowdSizes]float32{
		pieceRetry:  {3.3, 2.9, 2.1, .2},
		pieceOther:  {2.6, 2.6, 1.9, .2},
		pieceOutage: {1.2, 1, 1, -.2},
	},
	again:      [crowdSizes]float32{2.2, 1.6, 1.4, .2},
	freshAgain: [crowdSizes]float32{1, .3, .4, .4},
	same:       [2]float32{1.1, .9}, near: 1, sibling: .5,
	solid: -.5, split: 1,
	branch: [2][2]float32{{.8, .2}, {1.3, 1.2}},
}

// relapseOdds is what a test begins with that was flaky and healed.
const relapseOdds = 1.5
