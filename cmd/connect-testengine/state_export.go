package main

import (
	"errors"
	"fmt"
	"os"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

func exportCommand() *ucli.Command {
	return &ucli.Command{
		Name: "export", ArgsUsage: "DIR FILE", Action: exportState,
		Usage: "Write the newest snapshots as lines of JSON (FILE - is the standard output); a running process may hold the folder",
		Description: "All partitions have to be in the folder. Of a fleet only the last process has them; with --group each must\n" +
			"stand where the group does, so that nothing another process knows is forgotten.",
		Flags: append(kafkaFlags(),
			&ucli.StringFlag{Name: "group", Usage: "The consumer group that the state belongs to."},
			&ucli.StringFlag{Name: "topic", Value: "uploads", Usage: "The topic that the group reads."},
		),
	}
}

func exportState(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	dir, name := c.Args().Get(0), c.Args().Get(1)
	stands, err := groupStands(c)
	if err == nil {
		err = state.CheckWhole(disk.OS(), dir, stands)
	}
	if err != nil {
		return fmt.Errorf("exporting the state: %w", err)
	}
	if name == "-" {
		return state.Export(c.Context, disk.OS(), dir, c.App.Writer)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("exporting the state: %w", err)
	}
	err = errors.Join(state.Export(c.Context, disk.OS(), dir, file), file.Sync(), file.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(name)) // A part of a state is none.
	}
	return err
}

// groupStands is the next record of each partition, nil when no group is named.
func groupStands(c *ucli.Context) (map[int]int64, error) {
	if c.String("group") == "" {
		return nil, nil //nolint:nilnil // then it is not known
	}
	client, err := kafkaClient(c)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	group, err := kafkalog.FindGroup(c.Context, client, c.String("group"), c.String("topic"))
	if err != nil {
		return nil, err
	}
	stands, err := group.Stands(c.Context, true)
	if err != nil {
		return nil, err
	}
	next := make(map[int]int64, len(stands))
	for partition, stand := range stands {
		next[partition] = stand.Next
	}
	return next, nil
}
