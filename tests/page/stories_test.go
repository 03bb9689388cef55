package page

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const flakyName = "retries a declined card once"

func TestFromTheFlakyListToTheEvidence(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "")
	b := openTab(t)
	b.look(1280, 860, "light")
	b.see(l.BaseURL() + "/local/suites/quickstart")
	require.Contains(t, b.text("h1"), "Flaky tests")

	b.click(".why summary")
	require.Contains(t, b.text(".why details[open] .evidence"), "Timeout::Error", "the evidence opens in its place")
	b.click(".tests .name")
	b.until(`document.querySelector("h1").textContent.includes("` + flakyName + `")`)
	require.Contains(t, b.text(".panel.verdict"), "It failed and passed on one commit")
	require.Positive(t, eval[int](b, `document.querySelectorAll(".marks a.mixed").length`), "a run that failed and passed is a mark of its own")
	b.until(`window.Chart && Chart.getChart(document.querySelector("canvas"))`)

	b.click(".group > summary")
	require.Contains(t, b.text(".group[open] .trace"), "lib/support/retry.rb")
	b.click(".marks a.mixed")
	b.until(`document.querySelector("h2")?.textContent.includes("Failures and retries")`)
	require.Contains(t, b.text("#live"), flakyName)
	b.quiet()
}

func TestMakeASlice(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "")
	b := openTab(t)
	b.look(1280, 860, "light")
	b.see(l.BaseURL() + "/local/suites/quickstart/slices")
	b.click(`input[value=p95_duration] + span`)
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=by]`), "host.type"),
		chromedp.SetValue(chromedp.CSS(`select[name=period]`), "30days"),
		chromedp.SendKeys(chromedp.CSS(`input[name=filter]`), "result:passed"))
	b.click("button.primary")
	b.until(`document.querySelector(".slicetable")`)
	require.Contains(t, b.text(".slicetable"), "c7g.2xlarge")
	require.Equal(t, []string{"host.type", "p50_duration", "p95_duration"}, eval[[]string](b, `[...document.querySelectorAll(".slicetable th")].map((th) => th.textContent)`))
	b.until(`window.Chart && Chart.getChart(document.querySelector("canvas"))`)

	link := eval[string](b, `new URL(document.querySelector("[data-copy-link]").dataset.copyLink, location.href).href`)
	file := eval[string](b, `document.querySelector(".downloads a").href`)
	b.see(link)
	require.Contains(t, b.text(".slicetable"), "c7g.2xlarge", "the link shows the same to somebody else")
	require.Contains(t, get(t, file), "host.type,p50_duration,p95_duration\n")

	b.do(chromedp.SetValue(chromedp.CSS(`input[name=filter]`), "oops"))
	b.click("button.primary")
	b.until(`document.querySelector("[role=alert]")`)
	require.Contains(t, b.text("[role=alert]"), `filter, character 1: "oops" has no colon`)
	b.quiet()
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

func TestAVerdictArrivesWithoutReload(t *testing.T) {
	store := demo(t)
	l := serve(t, "127.0.0.1:0", store, "")
	b := openTab(t)
	b.look(1280, 860, "light")
	b.see(l.BaseURL() + "/local/suites/quickstart/flaky")
	b.until(`document.querySelector(".live.on")`)
	b.click(".why summary")
	eval[bool](b, `window.notReloaded = true`)
	before := eval[int](b, `document.querySelectorAll(".tests tbody").length`)

	store.Change(func(s *querytest.Store) {
		e := failure(s, "Cart", "undoes a removal")
		s.Executions = append(s.Executions, e)
		s.Events = append(s.Events, querytest.NewVerdict("Cart", "undoes a removal", e.File, "shop", testengine.FlakyDetected, []querytest.Execution{e}, 0.88,
			"", time.Now().UnixMilli()))
	})
	b.until(`document.querySelector("#news a")`)
	require.Contains(t, b.text("#news"), "Cart undoes a removal")
	b.until(`[...document.querySelectorAll(".tests .name")].some((a) => a.textContent.includes("undoes a removal"))`)
	require.Equal(t, before+1, eval[int](b, `document.querySelectorAll(".tests tbody").length`))
	require.True(t, eval[bool](b, `window.notReloaded`), "the page was not loaded again")
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(".why details[open]").length`), "what was open stays open")
	b.shoot("verdict-arrives")
	b.quiet()
}

func failure(s *querytest.Store, scope, name string) querytest.Execution {
	for _, e := range s.Executions {
		if e.Scope == scope && e.Name == name {
			e.Result, e.FailureReason, e.At = testengine.ResultFailed, "expected 2 items, got 1", time.Now().UnixMilli()
			return e
		}
	}
	return querytest.Execution{}
}

func TestTheFirstUploadAppears(t *testing.T) {
	store := demo(t)
	l := serve(t, "127.0.0.1:0", store, "")
	b := openTab(t)
	b.see(l.BaseURL() + "/local/suites/empty/uploads")
	require.Contains(t, b.text("#live"), "Send the first upload")
	b.until(`document.querySelector(".live.on")`)
	store.Change(func(s *querytest.Store) {
		s.UploadList = append(s.UploadList, query.Upload{UploadReport: testengine.UploadReport{
			UploadID: "up_" + strings.Repeat("1", 26), Org: "local", Suite: "empty", Collector: "js-buildkite-test-collector", Received: 3, Accepted: 3,
			Time: time.Now().UnixMilli(), ReceivedAt: time.Now().UnixMilli(),
		}})
	})
	b.until(`document.querySelector("#live").textContent.includes("js-buildkite-test-collector")`)
	b.quiet()
}

// What people send as a name, a branch or a commit may be thousands of letters without a gap.
func TestLongTextsStayInTheirPlace(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "")
	b := openTab(t)
	for _, list := range []string{"flaky", "tests", "runs", "uploads", "upload-health"} {
		for _, width := range []int64{320, 768, 1010, 1280} {
			b.look(width, 900, "light")
			b.see(l.BaseURL() + "/local/suites/quickstart/" + list)
			tallest := eval[int](b, `(() => { const texts = [...document.querySelectorAll(".list .name, .list .clip, .list td code, .list td.last .reason, h1")];
				for (const e of texts) e.textContent = "x".repeat(4000);
				return Math.round(Math.max(...texts.map((e) => e.getBoundingClientRect().height))); })()`)
			require.Less(t, tallest, 250, "%s at %d: a text takes the page", list, width)
			wider := eval[int](b, `document.documentElement.scrollWidth - innerWidth`)
			require.LessOrEqual(t, wider, 0, "%s is wider than a window of %d", list, width)
		}
	}
}

func TestKeysAndTimeZone(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "")
	b := openTab(t)
	b.see(l.BaseURL() + "/local/suites/quickstart/flaky")
	b.press("j")
	require.True(t, eval[bool](b, `document.activeElement.matches(".tests .name")`), "j goes to the first test")
	b.press("g")
	b.press("r")
	b.until(`location.pathname.endsWith("/runs")`)
	b.click(".runs .name")
	b.until(`document.querySelector("h2")?.textContent.includes("Failures")`)
	require.True(t, eval[bool](b, `(() => { const t = document.querySelector("time.at"); const d = new Date(t.dateTime);
		return t.textContent === new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(d) && Intl.DateTimeFormat().resolvedOptions().timeZone === "Europe/Berlin"; })()`),
		"times are in the reader's zone")
	b.see(l.BaseURL() + "/local/suites/quickstart/flaky")
	b.press("/")
	require.Equal(t, "search", eval[string](b, `document.activeElement.name`))
	b.quiet()
}

func TestLogInWithAToken(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "    require_token: always")
	b := openTab(t)
	b.see(l.BaseURL() + "/local/suites/quickstart/runs")
	require.Contains(t, b.text("main"), "Read access")
	b.do(chromedp.SendKeys(chromedp.CSS("input[name=token]"), "te_reader"))
	b.click("button.primary")
	b.until(`location.pathname.endsWith("/runs") && document.querySelector(".runs")`)
	b.until(`document.querySelector(".live.on")`)
	require.NotContains(t, eval[string](b, `document.cookie`), "te_reader", "scripts cannot read the token")
	b.click(".end button")
	b.until(`location.pathname === "/login"`)
	b.quiet()
}

// TestStopsWhileReadersFollow: a reader that stays does not hold the process.
func TestStopsWhileReadersFollow(t *testing.T) {
	l := serve(t, "127.0.0.1:0", demo(t), "")
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.BaseURL()+"/v2/analytics/organizations/local/suites/quickstart/verdicts/stream", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
}
