package page

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// TestEveryPage opens every page in light, dark and on a phone: nothing is
// complained about, nothing is wider than the window.
func TestEveryPage(t *testing.T) {
	store := demo(t)
	l := serve(t, "127.0.0.1:0", store, "")
	suite := l.BaseURL() + "/local/suites/quickstart"
	flaky := testengine.FormatID(testengine.TestID(testengine.SuiteSeed("local", "quickstart"), "Checkout payment", "retries a declined card once"))
	var failed, problems string
	for _, r := range store.RunList {
		if r.TestsFailed > 0 && r.TestsRetried > 0 {
			failed = r.ID
		}
	}
	for _, u := range store.UploadList {
		if u.Rejected > 0 {
			problems = u.UploadID
		}
	}
	b := openTab(t)
	for _, page := range []struct {
		name, url, open string
		// kept pages are kept as pictures in dark and on a phone too.
		kept bool
	}{
		{"flaky", suite + "/flaky", ".why details", true},
		{"tests", suite + "/tests", "", false},
		{"test", suite + "/tests/" + flaky, ".group", true},
		{"runs", suite + "/runs", "", false},
		{"run", suite + "/runs/" + failed, ".group", false},
		{"uploads", suite + "/uploads", "", false},
		{"upload", suite + "/uploads/" + problems, "", false},
		{"upload-health", suite + "/upload-health", "", true},
		{"slices", suite + "/slices?measure=p50_duration&measure=p95_duration&measure=executions&by=host.type&by=host.arch&by=scm.branch&period=30days", "", true},
		{"slices-days", suite + "/slices?measure=failure_rate&measure=failed&by=time.day&by=scm.branch&period=14days", "", false},
		{"slices-start", suite + "/slices", "", false},
		{"first-upload", l.BaseURL() + "/local/suites/empty/flaky", "", false},
		{"suites", l.BaseURL() + "/", "", false},
	} {
		for _, look := range []struct {
			name          string
			width, height int64
			scheme        string
		}{{"light", 1280, 860, "light"}, {"dark", 1280, 860, "dark"}, {"tablet", 768, 1024, "light"}, {"phone", 390, 844, "light"}} {
			b.look(look.width, look.height, look.scheme)
			b.see(page.url)
			if page.open != "" {
				b.do(chromedp.SetAttributeValue(chromedp.CSS(page.open), "open", ""))
			}
			b.until(`[...document.querySelectorAll("canvas[data-chart]")].every((c) => window.Chart && Chart.getChart(c))`)
			wider := eval[int](b, `document.documentElement.scrollWidth - innerWidth`)
			if look.name == "light" || page.kept && look.name != "tablet" {
				b.shoot(page.name + "-" + look.name)
			}
			require.LessOrEqual(t, wider, 0, "%s is wider than the window on %s", page.name, look.name)
		}
	}
	b.quiet()
}
