package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// ciRun is one upload of a run: twenty tests that pass, and one with results of its own.
func ciRun(number int, results ...string) []byte {
	type execution map[string]any
	var data []execution
	add := func(name, result string) {
		e := execution{
			"id": fmt.Sprintf("%d-%d", number, len(data)), "scope": "Cart", "name": name, "result": result,
			"location": "spec/cart_spec.rb:3", "file_name": "spec/cart_spec.rb",
			"history": map[string]any{"section": "top", "start_at": 1.0, "end_at": 1.5, "duration": 0.5},
		}
		if result == "failed" {
			e["failure_reason"] = "Timeout::Error: execution expired"
		}
		data = append(data, e)
	}
	for i := range 20 {
		add(fmt.Sprintf("adds item %d", i), "passed")
	}
	for _, result := range results {
		add("undoes a removal", result)
	}
	body, err := json.Marshal(map[string]any{
		"format": "json", "data": data,
		"run_env": map[string]any{"CI": "generic", "key": fmt.Sprint("build-", number), "branch": "main", "commit_sha": fmt.Sprint("c", number), "tags": map[string]any{}},
		"tags":    map[string]any{"host.type": []string{"c7g.2xlarge", "m7g.xlarge"}[number%2]},
	})
	if err != nil {
		panic(err)
	}
	return body
}

// The whole product: the door, the log, detection, DuckDB and a browser that watches.
func TestTheProductShowsAVerdictAndStillKnowsItAfterThePlugWasPulled(t *testing.T) {
	process := harness.Start(t, harness.Options{})
	process.WaitReady(30 * time.Second)
	send := func(number int, results ...string) {
		status, answer := process.Upload(t.Context(), ciRun(number, results...))
		require.Equal(t, http.StatusAccepted, status, answer)
	}
	b := openTab(t)
	b.look(1280, 860, "light")
	send(1, "passed")
	b.see(process.URL + "/local/suites/quickstart/flaky")
	b.until(`document.querySelector(".live.on")`)

	send(2, "passed")
	send(3, "failed", "passed")
	send(4, "failed", "passed")
	b.until(`[...document.querySelectorAll(".tests .name")].some((a) => a.textContent.includes("undoes a removal"))`)
	b.click(".why summary")
	require.Contains(t, b.text(".why details[open] .evidence"), "Timeout::Error")

	b.quiet()

	process.Kill()
	again := harness.Start(t, harness.Options{Data: process.Data})
	again.WaitReady(30 * time.Second)
	again.Eventually(20*time.Second, "all executions are in the store once", func() bool {
		_, body := again.Get("/v2/analytics/organizations/local/suites/quickstart/slices?measure=executions&period=1day")
		return strings.Contains(body, `"rows":[{"executions":86}]`)
	})
	b = openTab(t)
	b.look(1280, 860, "light")
	b.see(again.URL + "/local/suites/quickstart/flaky")
	b.click(".tests .name")
	b.until(`document.querySelector("h1").textContent.includes("undoes a removal")`)
	require.Equal(t, 2, eval[int](b, `document.querySelectorAll(".marks a.mixed").length`), "two runs failed and passed")
	b.click(".marks a.mixed")
	b.until(`document.querySelector("h2")?.textContent.includes("Failures and retries")`)

	b.see(again.URL + "/local/suites/quickstart/slices")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=by]`), "host.type"), chromedp.SendKeys(chromedp.CSS(`input[name=filter]`), "result:passed"))
	b.click("button.primary")
	b.until(`document.querySelector(".slicetable")`)
	require.Contains(t, b.text(".slicetable"), "c7g.2xlarge")
	require.Contains(t, b.text(".slicetable"), "m7g.xlarge")
	b.quiet()
	require.Zero(t, again.Stop(30*time.Second), again.Output())
}
