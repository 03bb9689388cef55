package world

import (
	"fmt"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// testsPerFile is the mean number of tests in a file.
const testsPerFile = 10

// suite is one repository's tests and its line of commits.
type suite struct {
	world *World
	index uint64
	name  string
	shape *shape
	tests []test
	// jobs holds the tests of each parallel job, whole files together.
	jobs [][]int32
	// queue says that pull requests pass a merge queue.
	queue bool
	dice  *dice

	// tip is the number of the newest commit on main.
	tip      int
	builds   int
	requests int
	// breaks are the regressions that runs can still meet.
	breaks []*Regression
	// broken is scratch: what is broken in the run at hand, by test.
	broken map[int32]*Regression
}

// test is one test with what the world knows about it.
type test struct {
	id                uint64
	scope, name, file string
	line              int
	// head is its constant JSON from scope to file_name, in the suite's shape.
	head     []byte
	duration float64
	// born is when it was added, 0 for tests as old as the world.
	born    int64
	skipped bool
	flake   *flake

	executions int
	failures   [causes]int
}

func newSuite(w *World, index int) *suite {
	s := &suite{
		world: w, index: uint64(index), name: suiteName(index), shape: &shapes[index%len(shapes)],
		dice: newDice(w.config.Seed, uint64(index), 1), queue: index%2 == 0, broken: map[int32]*Regression{},
	}
	seed := testengine.SuiteSeed(w.config.Organization, s.name)
	files := max(1, w.config.TestsPerSuite/testsPerFile)
	seen := make(map[string]bool, w.config.TestsPerSuite)
	s.jobs = make([][]int32, w.config.jobs())
	for i := range w.config.TestsPerSuite {
		file := i * files / w.config.TestsPerSuite
		t := s.newTest(i, file, seen)
		t.id = testengine.TestID(seed, t.scope, t.name)
		t.head = s.shape.head(s.shape, &t)
		s.tests = append(s.tests, t)
		job := file % len(s.jobs)
		s.jobs[job] = append(s.jobs[job], int32(i))
	}
	s.makeFlaky()
	return s
}

func suiteName(index int) string {
	name := suiteNames[index%len(suiteNames)]
	if round := index / len(suiteNames); round > 0 {
		name += "-" + strconv.Itoa(round+1)
	}
	return name
}

func (s *suite) newTest(i, file int, seen map[string]bool) test {
	d := s.dice
	t := test{line: 10 + 7*(i%40) + d.int(5), duration: d.logUniform(0.002, 0.8), skipped: d.chance(0.01)}
	if s.world.config.Days > 0 && d.chance(0.03) {
		t.born = d.between(0, int64(s.world.config.Days)*Day)
		t.skipped = false
	}
	s.shape.name(&t, file, d)
	base := t.name
	for n := 2; seen[t.scope+"\x00"+t.name]; n++ {
		t.name = fmt.Sprintf(s.shape.again, base, n)
	}
	seen[t.scope+"\x00"+t.name] = true
	return t
}

// makeFlaky chooses the flaky tests, spread over the suite and over the kinds.
func (s *suite) makeFlaky() {
	want := int(s.world.config.FlakyShare*float64(len(s.tests)) + 0.5)
	kind := int(s.index)
	for _, i := range s.shuffled() {
		if want == 0 {
			return
		}
		if t := &s.tests[i]; !t.skipped {
			t.flake = newFlake(flakyKinds[kind%len(flakyKinds)], t, s)
			kind++
			want--
		}
	}
}

func (s *suite) shuffled() []int {
	order := make([]int, len(s.tests))
	for i := range order {
		j := s.dice.int(i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}

// sha names a commit: on main by its number, elsewhere by branch and push.
func (s *suite) sha(line, number int) string {
	a := mix(s.world.config.Seed, s.index, 2, uint64(line), uint64(number))
	b := mix(a, 1)
	return testengine.FormatID(a) + testengine.FormatID(b) + testengine.FormatID(mix(b, 1))[:8]
}
