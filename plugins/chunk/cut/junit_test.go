package cut_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
)

// cases lists the test cases of a report with the suites and properties above
// them, as encoding/xml sees them.
func cases(t *testing.T, report []byte) (all []string) {
	t.Helper()
	type property struct {
		Name string `xml:"name,attr"`
	}
	type testCase struct {
		Name string `xml:"name,attr"`
		Text string `xml:",innerxml"`
	}
	type suite struct {
		XMLName    xml.Name
		Name       string     `xml:"name,attr"`
		Properties []property `xml:"properties>property"`
		Cases      []testCase `xml:"testcase"`
		Suites     []suite    `xml:"testsuite"`
	}
	var walk func(above string, s suite)
	walk = func(above string, s suite) {
		above += fmt.Sprintf("/%s%v", s.Name, s.Properties)
		for _, c := range s.Cases {
			all = append(all, above+"/"+c.Name+":"+c.Text)
		}
		for _, inner := range s.Suites {
			walk(above, inner)
		}
	}
	var root suite
	require.NoError(t, xml.Unmarshal(report, &root), "%s", report)
	walk("", root)
	return all
}

func TestJUnitIsCutBetweenCases(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var b strings.Builder
		b.WriteString("<?xml version=\"1.0\"?><!-- <testcase> is none -->\n<testsuites>")
		for s := range 1 + r.IntN(5) {
			fmt.Fprintf(&b, `<testsuite name="s%d > 'x'">`, s)
			if r.IntN(2) == 0 {
				fmt.Fprintf(&b, `<properties><property name="p%d"/></properties>`, s)
			}
			for c := range r.IntN(12) {
				switch r.IntN(3) {
				case 0:
					fmt.Fprintf(&b, "<testcase name=\"c%d\"/>\n", c)
				case 1:
					fmt.Fprintf(&b, `<testcase name='c%d "/>'><failure><![CDATA[</testcase>]]></failure></testcase>`, c)
				default:
					fmt.Fprintf(&b, `<testcase name="c%d"><system-out>%s</system-out></testcase>`, c, strings.Repeat("o", r.IntN(60)))
				}
			}
			b.WriteString("<system-err>e</system-err></testsuite>")
		}
		b.WriteString("</testsuites>\n")
		report := []byte(b.String())
		limit := 320 + r.IntN(400)
		chunks, err := cut.JUnit(report, limit)
		if len(cases(t, report)) == 0 {
			require.ErrorIs(t, err, cut.ErrNoRecords)
			continue
		}
		require.NoError(t, err, "seed %d", seed)
		// A property that comes behind all cases of a chunk is the only thing a case could miss; there is none here.
		var joined []string
		for i := range chunks {
			document := chunks[i].Append(nil)
			require.LessOrEqual(t, len(document), limit, "seed %d", seed)
			require.Len(t, joined, chunks[i].First)
			joined = append(joined, cases(t, document)...)
		}
		require.Equal(t, cases(t, report), joined, "seed %d: %s", seed, report)
	}
}

func TestReportsThatCannotBeCut(t *testing.T) {
	for _, c := range []struct{ name, body, reason string }{
		{"no cases", "<testsuites></testsuites>", cut.ErrNoRecords.Error()},
		{"a tag that is not ended", "<testsuite><testcase name=", "at byte 11 the tag is not ended"},
		{"a suite that is not closed", "<testsuite><testcase/>", "at byte 22 an element is not closed"},
		{"a suite that is closed twice", "<testsuite><testcase/></testsuite></testsuite>", "at byte 34 an element is closed that is not open"},
		{"a comment without end", "<testsuite><!-- ", "at byte 11 <!-- is not ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cut.JUnit([]byte(c.body), 1000)
			require.EqualError(t, err, c.reason)
		})
	}
}

func FuzzJUnit(f *testing.F) {
	f.Add([]byte(`<testsuites><testsuite name="a"><properties/><testcase name="x"/><testcase/></testsuite></testsuites>`), uint16(80))
	f.Fuzz(func(t *testing.T, body []byte, limit uint16) {
		chunks, err := cut.JUnit(body, int(limit))
		if err != nil {
			return
		}
		for i := range chunks {
			require.LessOrEqual(t, chunks[i].Len(), int(limit))
		}
	})
}
