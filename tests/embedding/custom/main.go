// Command custom is somebody else's main: stock components of his choice and
// one capability of ours. The test beside it builds and runs it.
package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/connect-testengine/connect-testengine/plugins/upload"
)

func main() { service.RunCLI(context.Background()) }
