package histories

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// flakeFlagger holds the tests of one project with their measured rates.
type flakeFlagger struct {
	project string
	tests   []ratedTest
}

type ratedTest struct {
	name  string
	rate  float64
	flaky bool
	// together says that tests fail in the same runs: they share their count and their first failing run.
	together string
}

// maxStable bounds the stable tests taken of one project.
const maxStable = 100

func readFlakeFlagger(t *testing.T, wanted ...string) []flakeFlagger {
	t.Helper()
	all, err := csv.NewReader(openPacked(t, "flakeflagger/test_results.csv.gz")).ReadAll()
	require.NoError(t, err)
	var projects []flakeFlagger
	for _, project := range wanted {
		p := flakeFlagger{project: project}
		stable := 0
		for _, row := range all[1:] {
			if row[0] != project {
				continue
			}
			failing, err := strconv.Atoi(row[3])
			require.NoError(t, err)
			passing, err := strconv.Atoi(row[4])
			require.NoError(t, err)
			test := ratedTest{name: row[1], flaky: row[2] == "1"}
			switch {
			case test.flaky:
				test.rate = float64(failing) / float64(failing+passing)
				test.together = row[3] + "/" + row[5]
			case failing > 0 || stable >= maxStable:
				continue
			default:
				stable++
			}
			p.tests = append(p.tests, test)
		}
		require.NotEmpty(t, p.tests, project)
		projects = append(projects, p)
	}
	return projects
}

// expanded is a history drawn from the measured rates: as many runs, each on a
// commit of its own, each with one retry of what failed.
type expanded struct {
	recording *recording
	// episodes counts the runs in which a test failed; together names those that fail with others.
	episodes map[string]int
	together map[string]bool
}

func expand(t *testing.T, projects []flakeFlagger, runs int, seed uint64) expanded {
	t.Helper()
	x := expanded{recording: newRecording(t), episodes: map[string]int{}, together: map[string]bool{}}
	random := rand.New(rand.NewPCG(seed, 42))
	begin := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range projects {
		sizes := map[string]int{}
		for _, test := range p.tests {
			sizes[test.together]++
		}
		for _, test := range p.tests {
			if test.flaky && sizes[test.together] > 1 {
				x.together[fullName(p.project, "", test.name)] = true
			}
		}
	}
	for run := range runs {
		for i, p := range projects {
			at := begin.Add(time.Duration(run)*time.Hour + time.Duration(i)*3*time.Minute)
			x.run(p, run, at, random)
		}
	}
	return x
}

func (x *expanded) run(p flakeFlagger, run int, at time.Time, random *rand.Rand) {
	key := fmt.Sprintf("%s-%d", p.project, run)
	commit := strconv.FormatUint(testengine.Hash(1, key), 16)
	tests := p.tests
	for attempt := range 2 {
		var data []recordedExecution
		var failed []ratedTest
		drawn := map[string]float64{}
		for _, test := range tests {
			fails := false
			if test.flaky {
				draw, ok := drawn[test.together]
				if !ok {
					draw = random.Float64()
					drawn[test.together] = draw
				}
				fails = draw < test.rate
			}
			if fails {
				failed = append(failed, test)
				if attempt == 0 {
					x.episodes[fullName(p.project, "", test.name)]++
				}
			}
			reason := "java.lang.AssertionError: in " + test.name
			if x.together[fullName(p.project, "", test.name)] {
				reason = "java.lang.IllegalStateException: shared fixture " + test.together
			}
			data = append(data, execution("", test.name, fails, reason, 0.01))
		}
		x.recording.upload(at.Add(time.Duration(attempt)*time.Minute), p.project, key, commit, strconv.Itoa(attempt), data)
		if tests = failed; len(failed) == 0 {
			return
		}
	}
}

func TestRatesMeasuredByFlakeFlagger(t *testing.T) {
	projects := readFlakeFlagger(t, "square-okhttp", "wro4j-wro4j", "apache-httpcore", "qos-ch-logback", "zxing-zxing",
		"apache-ambari", "tootallnate-java-websocket", "hector-client-hector", "orbit-orbit", "kevinsawicki-http-request",
		"undertow-io-undertow", "apache-incubator-dubbo", "doanduyhai-Achilles")
	x := expand(t, projects, 300, 7)
	uploads := x.recording.done()
	verdicts := readVerdicts(t, backtest(t, uploads))

	truly, either := map[string]bool{}, map[string]bool{}
	for name, episodes := range x.episodes {
		switch {
		case x.together[name] || episodes < 2:
			either[name] = true
		default:
			truly[name] = true
		}
	}
	detected := judge(named(verdicts, testengine.FlakyDetected), truly, either)
	suspected := judge(named(verdicts, testengine.FlakySuspected), truly, either)
	t.Logf("%d executions, %d flaky tests with two episodes, %d that fail with others or once", x.recording.executions, len(truly), len(either))
	t.Logf("detected: precision %.3f recall %.3f, missed %q", detected.precision(), detected.recall(), detected.missed)
	t.Logf("suspected: precision %.3f recall %.3f, missed %q", suspected.precision(), suspected.recall(), suspected.missed)
	require.GreaterOrEqual(t, len(truly), 30)
	require.Empty(t, detected.wrong, "a test that never fails is not flaky")
	require.GreaterOrEqual(t, detected.recall(), 0.9)
	require.GreaterOrEqual(t, suspected.recall(), 0.95)
}
