package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk"
	"github.com/connect-testengine/connect-testengine/plugins/stream/outputs"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
)

const handoverDescription = `Blue is the version that works, green the new one.

1. Green gets blue's snapshot:
     connect-testengine state export BLUE blue.ndjson
     connect-testengine state import blue.ndjson GREEN
2. Green runs in a shadow group (group: detect_flaky_green, its own topics for what
   it says) from the records that "state list GREEN" names, while blue goes on.
3. What both said is compared, window by window:
     connect-testengine state compare blue_verdicts.ndjson green_verdicts.ndjson
4. Blue is stopped (it drains and commits), green's shadow is stopped. Then
     connect-testengine state handover BLUE GREEN
   says for each partition at which record the work goes over, and blue's state
   refuses to open from then on.
5. Green starts with blue's group and blue's topics. It is brought to the group's
   committed offset silently, and goes on from exactly there.

Rollback is the same command the other way round, then blue starts again:
     connect-testengine state handover GREEN BLUE`

func handoverCommand() *ucli.Command {
	return &ucli.Command{
		Name: "handover", ArgsUsage: "FROM TO", Action: handOverState, Description: handoverDescription,
		Usage: "Give the work of one version of a pipeline to another one, at a record for each partition; back the same way",
	}
}

func compareCommand() *ucli.Command {
	return &ucli.Command{
		Name: "compare", ArgsUsage: "FIRST SECOND", Action: compareOutputs,
		Usage: "Compare what two versions of a pipeline have written (lines of JSON), window by window",
		Flags: []ucli.Flag{
			&ucli.DurationFlag{Name: "window", Value: time.Minute, Usage: "The length of a window."},
			&ucli.StringFlag{Name: "time", Value: "time", Usage: "The field with a line's time in unix milliseconds."},
			&ucli.StringSliceFlag{Name: "ignore", Usage: "A field in which the versions may differ; may be given again."},
		},
	}
}

func handOverState(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	h, err := state.HandOver(disk.OS(), c.Args().Get(0), c.Args().Get(1))
	if err != nil {
		return err
	}
	for _, partition := range h.Partitions() {
		say(c.App.Writer, "partition %d: handed over at %d\n", partition, h.Next[partition])
	}
	return nil
}

func compareOutputs(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	if c.Duration("window") < time.Millisecond {
		return errors.New("comparing outputs: --window is at least 1ms")
	}
	var files [2]*os.File
	for n := range files {
		file, err := os.Open(c.Args().Get(n))
		if err != nil {
			return fmt.Errorf("comparing outputs: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		files[n] = file
	}
	windows, err := outputs.Compare(files[0], files[1], outputs.Options{
		Window: c.Duration("window").Milliseconds(), Time: c.String("time"), Ignore: c.StringSlice("ignore"),
	})
	if err != nil {
		return fmt.Errorf("comparing outputs: %w", err)
	}
	whole, differ := 0, 0
	for _, w := range windows {
		if !w.Whole {
			continue
		}
		if whole++; w.OnlyFirst+w.OnlySecond == 0 {
			continue
		}
		differ++
		say(c.App.Writer, "%s: %d and %d lines, %d only in the first, %d only in the second\n",
			time.UnixMilli(w.Start).UTC().Format(time.RFC3339), w.First, w.Second, w.OnlyFirst, w.OnlySecond)
		for _, example := range w.Examples {
			say(c.App.Writer, "  %s\n", example)
		}
	}
	say(c.App.Writer, "%d whole windows compared, %d differ\n", whole, differ)
	if whole == 0 {
		return errors.New("comparing outputs: they have no whole window in common")
	}
	if differ > 0 {
		return fmt.Errorf("comparing outputs: %d of %d windows differ", differ, whole)
	}
	return nil
}
