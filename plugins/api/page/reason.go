package page

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// ruleSentences say what a rule saw, in words a developer has.
var ruleSentences = map[string]string{
	"passed_on_retry":    "It failed and passed on one commit",
	"three_state_filter": "Its failures come and go, as a flaky test's do and a broken one's do not",
	"transition_count":   "It changes between passing and failing",
	"broken_test":        "It fails on one commit after the other",
	"healing":            "It has passed for longer than it ever did between two failures",
}

// why says in a sentence what an event rests on: the rule, how widely it was
// seen, and what the rule itself notes.
func why(v *testengine.Verdict) string {
	sentence, ok := ruleSentences[v.Rule.ID]
	if !ok || v.Evidence.Note != "" && strings.Contains(v.Evidence.Note, sentence) {
		sentence = ""
	}
	note := v.Evidence.Note
	switch {
	case sentence == "" && note == "":
		return "Evidence"
	case sentence == "":
		return note
	case note != "":
		return sentence + ": " + strings.TrimSuffix(note, ".") + "."
	}
	var seen []string
	if n := int(v.Evidence.Numbers["failing_runs"]); n > 0 {
		seen = append(seen, "failures in "+plural(n, "run"))
	}
	if n := len(v.Evidence.Branches); n > 0 {
		seen = append(seen, strings.Replace(plural(n, "branch"), "branchs", "branches", 1))
	}
	if len(seen) == 0 {
		return sentence + "."
	}
	return sentence + ": " + strings.Join(seen, ", ") + "."
}
