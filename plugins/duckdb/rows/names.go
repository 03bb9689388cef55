package rows

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Names gives suites, tests and tag sets their numbers, and remembers which of
// them are not in the database yet. A number once given is kept even when the
// transaction fails: its row stays pending and goes with the next one.
type Names struct {
	limit int

	suites map[suiteKey]*suiteState
	tests  testIndex
	sets   map[setKey]uint32
	memo   map[uint64]uint32

	nextSet     uint32
	nextUpload  uint32
	nextVerdict uint64

	newSuites []Suite
	newTests  []Test
	newSets   []TagSet
	changed   map[uint32]SuiteChange
	moved     map[uint32]Place
}

type suiteKey struct{ org, suite string }

type suiteState struct {
	number        uint32
	mode          TagsMode
	defaultBranch string
	// sets counts the suite's sets by kind: own, whole.
	sets [2]int
}

type setKey struct {
	suite uint32
	whole bool
	hash  uint64
}

// NewNames starts without any names. A suite may have limit tag sets of a kind
// before its tags are stored another way.
func NewNames(limit int) *Names {
	return &Names{
		limit: limit, suites: map[suiteKey]*suiteState{}, tests: newTestIndex(),
		sets: map[setKey]uint32{}, memo: map[uint64]uint32{},
		nextSet: 1, nextUpload: 1, nextVerdict: 1,
		changed: map[uint32]SuiteChange{}, moved: map[uint32]Place{},
	}
}

// LoadSuite takes in a suite that is in the database.
func (n *Names) LoadSuite(s Suite) {
	n.suites[suiteKey{s.Org, s.Name}] = &suiteState{number: s.Number, mode: s.Mode, defaultBranch: s.DefaultBranch}
}

// LoadTest takes in a test that is in the database. Tests come in order of number.
func (n *Names) LoadTest(number uint32, id, place uint64) { n.tests.set(number, id, place) }

// LoadTagSet takes in a tag set that is in the database, after the suites.
func (n *Names) LoadTagSet(number, suite uint32, hash uint64, whole bool) {
	n.sets[setKey{suite, whole, hash}] = number
	n.nextSet = max(n.nextSet, number+1)
	for _, s := range n.suites {
		if s.number == suite {
			s.sets[kind(whole)]++
		}
	}
}

// LoadCounters sets the greatest numbers of uploads and verdicts in the database.
func (n *Names) LoadCounters(upload uint32, verdict uint64) {
	n.nextUpload, n.nextVerdict = upload+1, verdict+1
}

// Pending is what must be in the database before rows that use it.
type Pending struct {
	Suites  []Suite
	Tests   []Test
	Sets    []TagSet
	Changed map[uint32]SuiteChange
	Moved   map[uint32]Place
}

// SuiteChange is what may change of a suite.
type SuiteChange struct {
	DefaultBranch string
	Mode          TagsMode
}

// Pending returns what is not in the database yet. Moved tests may wait: what
// is forgotten of them is found again with their next execution.
func (n *Names) Pending() Pending {
	return Pending{Suites: n.newSuites, Tests: n.newTests, Sets: n.newSets, Changed: n.changed, Moved: n.moved}
}

// Stored says that what Pending returned is committed; moved says whether its
// moved tests were written too.
func (n *Names) Stored(moved bool) {
	clear(n.newSuites)
	clear(n.newTests)
	clear(n.newSets)
	n.newSuites, n.newTests, n.newSets = n.newSuites[:0], n.newTests[:0], n.newSets[:0]
	clear(n.changed)
	if moved {
		clear(n.moved)
	}
}

func (n *Names) suite(org, suite, defaultBranch string, time int64) *suiteState {
	key := suiteKey{org, suite}
	if s, ok := n.suites[key]; ok {
		if defaultBranch != "" && defaultBranch != s.defaultBranch {
			s.defaultBranch = strings.Clone(defaultBranch)
			n.change(s)
		}
		return s
	}
	s := &suiteState{number: uint32(len(n.suites)) + 1, defaultBranch: strings.Clone(defaultBranch)}
	n.suites[suiteKey{strings.Clone(org), strings.Clone(suite)}] = s
	n.newSuites = append(n.newSuites, Suite{
		Number: s.number, Org: strings.Clone(org), Name: strings.Clone(suite),
		DefaultBranch: strings.Clone(defaultBranch), FirstSeen: time,
	})
	return s
}

func (n *Names) change(s *suiteState) {
	n.changed[s.number] = SuiteChange{DefaultBranch: s.defaultBranch, Mode: s.mode}
}

func (n *Names) test(e *testengine.Execution, owner string, suite uint32, time int64) uint32 {
	place := testengine.Hash(e.PlaceHash(), owner)
	number := n.tests.find(e.TestID)
	if number == 0 {
		number = uint32(len(n.tests.ids))
		n.tests.set(number, e.TestID, place)
		n.newTests = append(n.newTests, Test{
			Number: number, ID: e.TestID, Suite: suite, FirstSeen: time,
			Scope: strings.Clone(e.Scope), Name: strings.Clone(e.Name), Place: newPlace(e, owner, place),
		})
		return number
	}
	if n.tests.places[number] != place {
		n.tests.places[number] = place
		n.moved[number] = newPlace(e, owner, place)
	}
	return number
}

func newPlace(e *testengine.Execution, owner string, hash uint64) Place {
	return Place{Location: strings.Clone(e.Location), File: strings.Clone(e.File), Owner: strings.Clone(owner), Hash: hash}
}
