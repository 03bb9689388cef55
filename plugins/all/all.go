// Package all registers every capability of the bundle. Import one of the
// packages below instead to carry that capability alone.
package all

import (
	_ "github.com/connect-testengine/connect-testengine/plugins/admission"
	_ "github.com/connect-testengine/connect-testengine/plugins/api"
	_ "github.com/connect-testengine/connect-testengine/plugins/chunk"
	_ "github.com/connect-testengine/connect-testengine/plugins/collector"
	_ "github.com/connect-testengine/connect-testengine/plugins/duckdb"
	_ "github.com/connect-testengine/connect-testengine/plugins/enrich"
	_ "github.com/connect-testengine/connect-testengine/plugins/flaky"
	_ "github.com/connect-testengine/connect-testengine/plugins/kafka"
	_ "github.com/connect-testengine/connect-testengine/plugins/schema"
	_ "github.com/connect-testengine/connect-testengine/plugins/simulate"
	_ "github.com/connect-testengine/connect-testengine/plugins/statestore"
	_ "github.com/connect-testengine/connect-testengine/plugins/upload"
	_ "github.com/connect-testengine/connect-testengine/plugins/uploadlog"
	_ "github.com/connect-testengine/connect-testengine/plugins/webhook"
	_ "github.com/connect-testengine/connect-testengine/plugins/window"
)
