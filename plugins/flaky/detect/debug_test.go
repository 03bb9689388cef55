package detect_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestDebugWrong(t *testing.T) {
	if os.Getenv("DEBUG_WORLD") == "" {
		return
	}
	seed := uint64(1)
	fmt.Sscan(os.Getenv("DEBUG_SEED"), &seed)
	for _, spec := range append(worldSpecs(seed), cleanSpec(77*seed)) {
		if spec.name != os.Getenv("DEBUG_WORLD") {
			continue
		}
		w := newWorld(spec)
		traces := map[uint64][]string{}
		detect.Trace = func(at int64, test uint64, args ...any) {
			traces[test] = append(traces[test], fmt.Sprint((at-worldStart)/60_000, " ", fmt.Sprintln(args...)))
		}
		said := detectAll(t, w.play(), detect.DefaultSettings())
		bad := map[*worldTest]bool{}
		for _, v := range said {
			tt := w.testOf(v)
			if tt == nil || v.Type != testengine.FlakyDetected || tt.kind != "" || bad[tt] {
				continue
			}
			bad[tt] = true
			at := (int64(v.Time) - worldStart) / 60_000
			fmt.Printf("test %d detected at %d by %s %s, %v\n", tt.id, at, v.Rule.ID, v.Variant, v.Evidence.Numbers)
			causes := tt.causes
			for len(causes) > 0 && causes[len(causes)-1].at > int64(v.Time) {
				causes = causes[:len(causes)-1]
			}
			for _, c := range causes[max(0, len(causes)-9):] {
				fmt.Printf("      %d %s %s\n", (c.at-worldStart)/60_000, c.why, c.run)
			}
			for _, line := range traces[testengine.TestID(testengine.SuiteSeed("local", spec.name), tt.scope, tt.name)] {
				var m int64
				fmt.Sscan(line, &m)
				if m <= at && m > at-600 {
					fmt.Print("      ", line)
				}
			}
			for _, x := range said {
				if w.testOf(x) == tt && x.Time <= v.Time && (int64(x.Time)-worldStart)/60_000 > at-600 {
					fmt.Printf("   said %d %s %s p %.2f weight %v others %v\n", (int64(x.Time)-worldStart)/60_000, x.Type, x.Rule.ID, x.Probability, x.Evidence.Numbers["weight"], x.Evidence.Numbers["others_failing"])
				}
			}
		}
	}
}

func TestDebugSlow(t *testing.T) {
	if os.Getenv("DEBUG_WORLD") == "" {
		return
	}
	seed := uint64(1)
	fmt.Sscan(os.Getenv("DEBUG_SEED"), &seed)
	for _, spec := range append(worldSpecs(seed), cleanSpec(77*seed)) {
		if spec.name != os.Getenv("DEBUG_WORLD") {
			continue
		}
		w := newWorld(spec)
		traces := map[uint64][]string{}
		detect.Trace = func(at int64, test uint64, args ...any) {
			traces[test] = append(traces[test], fmt.Sprint((at-worldStart)/60_000, " ", fmt.Sprintln(args...)))
		}
		said := detectAll(t, w.play(), detect.DefaultSettings())
		for _, tt := range w.tests {
			if tt.kind == "" || len(tt.failures) < 2 {
				continue
			}
			until := int64(1) << 60
			for _, v := range said {
				if w.testOf(v) == tt && v.Type == testengine.FlakyDetected {
					until = int64(v.Time)
					break
				}
			}
			n := before(tt.failures, until)
			if n < 4 && until != 1<<60 {
				continue
			}
			fmt.Printf("test %d %s %.3f found after %d of %d, variant %d\n", tt.id, tt.kind, tt.rate, n, len(tt.failures), tt.variant)
			for i, line := range traces[testengine.TestID(testengine.SuiteSeed("local", spec.name), tt.scope, tt.name)] {
				if i < 12 {
					fmt.Print("      ", line)
				}
			}
		}
	}
}
