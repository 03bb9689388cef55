package detect

// The weights in weights_fitted.go are the log-odds that evidence adds, natural
// logarithms. They are fitted together, by a logistic regression with a little
// shrinkage, on every judgement about every test of adversarial worlds: usual
// worlds and varied ones, in which retries, variants, work on branches, rates,
// breaks and storms are drawn anew for each suite. So their sum is calibrated:
// of the tests with a sum that means 0.9, nine in ten were flaky.
// tests/histories/fit writes that file; other seeds measure what it is worth.

// A term is one kind of evidence. What is known of a test is how often each
// term holds for it; the weights say what each is worth.
type term uint8

const (
	// These turn the filter's belief about the line into log-odds: as far as it says
	// healthy, as far as it says flaky, and that of a test that also broke.
	termBias term = iota
	termLine
	termRise
	termShaken
	// Of these it matters how often they were seen, once, twice or more, but not so
	// many times as much: failures on the line alone, pieces of evidence alone,
	// failures on branches, alone and hours after any other, failures on the line
	// that retries did not mend or that had a crowd, such of a single commit, long
	// after the last, and failures that lasted for commits where nobody retried:
	// these a test that often fails has as well.
	termLone   = termShaken + 1
	termOwn    = termLone + levels
	termWork   = termOwn + levels
	termSolid  = termWork + levels
	termApart  = termSolid + levels
	termLasted = termApart + levels
	// An episode is worth what its kind and its crowd say together; while it waits,
	// less is known of the crowd.
	termPiece = termLasted + levels
	termCrowd = termPiece + pieceKinds
	termWaits = termCrowd + crowdSizes
	// Further pieces of an episode, by crowd: at once, and after a run in which the
	// test passed at the first attempt. The latter are no storm that lasts.
	termAgain    = termWaits + crowdSizes
	termReturned = termAgain + crowdSizes
	// An episode with a message that an earlier one had, and one on the day of
	// another, by crowd.
	termSame = termReturned + crowdSizes
	termNear = termSame + crowdSizes
	// A failure alone that another variant of the same commit passed: on the line,
	// told of by another variant, and on a branch.
	termSplit  = termNear + crowdSizes
	termTold   = termSplit + 1
	termBranch = termTold + 1
	// How often the test came back among its newest results on the line.
	termBack = termBranch + 1
	terms    = termBack + term(len(returning))
)

// levels is how often something is told apart: once, twice, and more.
const levels = 3

// relapseOdds is what a test begins with that was flaky and healed.
const relapseOdds = 1.5
