package collector

import (
	"net/http"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
)

// planCalls are bktec's calls about test plans, below a suite. There are no plans
// here. bktec divides the tests itself, and runs them all, only when it is told
// so by a 404 with a JSON body: 401 and 403 end the job without a test, 5xx and
// 429 hold it for two minutes. So nothing is asked here before the answer, not
// even the token.
var planCalls = map[string]http.HandlerFunc{
	"/test_plan":              noPlan,
	"/test_plan/filter_tests": noPlan,
	// What was done with a plan. Nothing of it is kept: it names authors and their addresses.
	"/test_plan_metadata": func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, []byte("{}\n")) },
}

// planCallsAt is where the calls are about.
const planCallsAt = "/v2/analytics/organizations/{org}/suites/{suite}"

func noPlan(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusNotFound, answer.AppendMessage(nil, "there are no test plans here: bktec divides the tests by files and runs all of them"))
}
