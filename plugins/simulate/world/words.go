package world

// suiteNames are taken in order, then numbered.
var suiteNames = []string{
	"checkout-web", "billing-api", "ledger-core", "search-index", "mobile-gateway", "warehouse",
	"identity", "notifications", "reporting", "shipping", "catalogue", "support-desk",
}

var nouns = []string{
	"invoice", "basket", "customer", "payment", "refund", "shipment", "voucher", "ledger", "session",
	"account", "subscription", "address", "product", "price", "discount", "receipt", "warehouse",
	"delivery", "currency", "report", "notification", "webhook", "permission", "search", "review",
}

var aspects = []string{
	"totals", "rounding", "validation", "export", "import", "lifecycle", "permissions", "listing",
	"archive", "history", "locking", "expiry", "merging", "pagination", "serializer", "cache",
}

var verbs = []string{
	"creates", "updates", "rejects", "rounds", "cancels", "renders", "sorts", "locks", "sends",
	"expires", "merges", "restores", "counts", "hides", "converts", "validates",
}

var conditions = []string{
	"when the basket is empty", "when the user is not a member", "with two currencies",
	"after the trial has ended", "for an archived record", "when the gateway answers late",
	"with a leap day", "when the name holds \"quotes\"", "for a guest", "with 1,000 lines",
	"in a café in Zürich", "when nothing has changed", "with an expired token", "across midnight",
	"behind a proxy", "in read-only mode",
}

var parameters = []string{"EUR", "USD", "JPY", "empty", "large", "utf8", "negative", "None"}

var commitMessages = []string{
	"Fix rounding of %s", "Add %s export", "Speed up %s listing", "Rename %s fields", "Remove the old %s API",
	"Move %s to the new gateway", "Cache %s lookups", "Update dependencies of %s",
}

var branchKinds = []string{"feature", "fix", "chore", "deps"}

var hostTypes = []struct{ name, arch string }{
	{"c7g.2xlarge", "arm64"}, {"c7i.2xlarge", "amd64"}, {"m7g.xlarge", "arm64"}, {"c6a.4xlarge", "amd64"},
}

var regions = []string{"eu-central-1", "us-east-1"}

// flakeReasons are the messages of flaky tests; %d is another number each time.
var flakeReasons = []string{
	"expected 3 items, got 2 after %d ms", "timed out after 5000 ms waiting for .toast (%d polls)",
	"expected status 200, got 409 (request %d)", "element is not attached to the page, retry %d",
	"deadlock detected: process %d waits for ShareLock", "expected true, got false",
	"socket hang up (127.0.0.1:%d)", "database is locked (attempt %d)",
	"expected list to be sorted, index %d differs", "stale value in cache, age %d s",
}

// breakReasons are the messages of regressions.
var breakReasons = []string{
	"undefined method 'total_cents' for nil", "expected 120.0, got 144.0", "Cannot read properties of undefined (reading 'id')",
	"wrong number of arguments (given 2, expected 1)", "column \"archived_on\" does not exist",
	"expected the snapshot to match", "KeyError: 'currency'", "expected no error, got \"not permitted\"",
}

// stormReasons are the messages of incidents that many tests share.
var stormReasons = []string{
	"could not connect to server: Connection refused (10.0.3.17:%d)", "getaddrinfo ENOTFOUND redis.ci.internal (%d)",
	"x509: certificate has expired or is not yet valid: serial %d", "429 Too Many Requests from registry.ci.internal, request %d",
}

// hostReasons are the messages of a sick host; %s is the test's own name, so no two are alike.
var hostReasons = []string{
	"ENOSPC: no space left on device, writing the output of %s", "timed out after 30 s in %s", "killed: out of memory in %s",
}
