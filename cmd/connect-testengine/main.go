// Command connect-testengine is a Redpanda Connect distribution with the
// plugins of this project. To build your own, copy this file and choose imports:
// stock.go lists the components of Connect, plugins/all those of ours.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/cmd/connect-testengine/headroom"
	_ "github.com/connect-testengine/connect-testengine/plugins/all"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
)

// Set by the linker (make build).
var (
	version   = "0.1.0-dev"
	dateBuilt = "unknown"
)

// profiledBytes is how much memory is taken between two samples of the memory
// profile. At the usual 512 KiB nearly every body is a sample, with its stack.
const profiledBytes = 8 << 20

func main() {
	runtime.MemProfileRate = profiledBytes
	ctx := context.Background()
	headroom.Keep(ctx)
	defaults := []string{"pipelines/quickstart.yaml"}
	if slices.Contains(os.Args[1:], "streams") {
		defaults = nil // A pipeline is no configuration for all streams.
		refusal.Stay()
	} else {
		go endWhenRefused()
	}
	code, err := service.RunCLIToCode(ctx,
		service.CLIOptSetVersion(version, dateBuilt),
		service.CLIOptSetBinaryName("connect-testengine"),
		service.CLIOptSetProductName("connect-testengine"),
		service.CLIOptSetDocumentationURL("https://github.com/connect-testengine/connect-testengine"),
		service.CLIOptSetDefaultConfigPaths(defaults...),
		service.CLIOptSetMainSchemaFrom(func() *service.ConfigSchema {
			return service.GlobalEnvironment().FullConfigSchema(version, dateBuilt)
		}),
		service.CLIOptAddCommand(suiteCommand()),
		service.CLIOptAddCommand(doctorCommand()),
		service.CLIOptAddCommand(topicsCommand()),
		service.CLIOptAddCommand(stateCommand()),
		service.CLIOptAddCommand(docsCommand()),
		service.CLIOptAddCommand(studioCommand()),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if code == 0 && refusal.Refused() {
		code = 1 // The stream ended in good order, but not because it was done.
	}
	os.Exit(code)
}

// endWhenRefused closes the process in good order when its stream was refused: an
// output inside of another one, or a buffer, cannot end its stream by itself. In
// `streams` mode the others go on, and that one does nothing any more but say at
// /ready that it is not connected.
func endWhenRefused() {
	<-refusal.Refusals()
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
}
