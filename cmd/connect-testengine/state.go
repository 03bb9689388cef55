package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

// stateCommand looks into the state of stateful processors, moves it and checks it.
func stateCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "state",
		Usage: "Look into the state of stateful processors, move it, check it against a replay",
		Subcommands: []*ucli.Command{
			{
				Name: "list", ArgsUsage: "DIR", Action: listState,
				Usage: "List partitions, snapshots and tables of a state's folder; a running process may hold it",
			},
			exportCommand(),
			importCommand(),
			{
				Name: "verify", ArgsUsage: "DIR REPLAYED", Action: verifyState,
				Usage: "Compare the newest snapshots with a state that a replay of the log has made (pipelines/replay_state.yaml), entry by entry",
			},
			{
				Name: "reset", ArgsUsage: "DIR", Action: resetState,
				Usage: "Forget what is known and compute it again from the log",
				Flags: []ucli.Flag{
					&ucli.Int64Flag{Name: "from", Required: true, Usage: "The first record of the log to begin with; the log must still have it."},
					&ucli.IntFlag{Name: "partition", Value: -1, Usage: "Only this partition."},
				},
			},
			compareCommand(),
			handoverCommand(),
		},
	}
}

var errArguments = errors.New("wrong number of arguments")

func arguments(c *ucli.Context, n int) error {
	if c.NArg() != n {
		return fmt.Errorf("connect-testengine state %s [flags] %s: %w", c.Command.Name, c.Command.ArgsUsage, errArguments)
	}
	return nil
}

// say writes to a terminal, where an error has nobody to hear of it.
func say(to io.Writer, format string, arguments ...any) { _, _ = fmt.Fprintf(to, format, arguments...) }

func listState(c *ucli.Context) error {
	if err := arguments(c, 1); err != nil {
		return err
	}
	all, err := state.Snapshots(disk.OS(), c.Args().Get(0))
	if err != nil {
		return err
	}
	if all[0].Pipeline != "" {
		say(c.App.Writer, "pipeline %s, ", all[0].Pipeline)
	}
	say(c.App.Writer, "log %s, %d partitions\n\n", all[0].LogID, all[0].Partitions)
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	say(w, "PARTITION\tNEXT\tTIME\tBASE\tSEGMENTS\tBYTES\tSNAPSHOTS AT\tTABLES\n")
	for _, s := range all {
		say(w, "%d\t%d\t%s\t%d\t%d\t%d\t%v\t", s.Partition, s.Next, time.UnixMilli(s.Time).UTC().Format(time.RFC3339), s.Base, s.Segments, s.Bytes, s.ReachedByOffsets)
		for n, t := range s.Tables {
			if n > 0 {
				say(w, ", ")
			}
			say(w, "%s (%s)", t.Name, t.Logic)
		}
		say(w, "\n")
	}
	return w.Flush()
}

var errDiffer = errors.New("the states differ")

func verifyState(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	all, err := state.Compare(c.Context, disk.OS(), c.Args().Get(0), c.Args().Get(1))
	if err != nil {
		return err
	}
	differ := 0
	for _, one := range all {
		say(c.App.Writer, "partition %d before record %d: %d entries compared, %d differences\n", one.Partition, one.Next, one.Entries, one.Differing)
		for _, difference := range one.Differences {
			say(c.App.Writer, "  %s\n", difference)
		}
		differ += one.Differing
	}
	if differ > 0 {
		return fmt.Errorf("%w in %d places", errDiffer, differ)
	}
	return nil
}

func resetState(c *ucli.Context) error {
	if err := arguments(c, 1); err != nil {
		return err
	}
	reset, err := state.Reset(disk.OS(), c.Args().Get(0), c.Int("partition"), c.Int64("from"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "The state of partitions %v is empty; it is computed again from record %d when the pipeline starts.\n", reset, c.Int64("from"))
	return err
}
