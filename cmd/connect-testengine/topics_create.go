package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/kafka"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/topics"
)

// topicsCommand manages the topics of a cluster from the command line.
func topicsCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "topics",
		Usage: "Manage the Kafka topics of a cluster",
		Subcommands: []*ucli.Command{{
			Name:  "create",
			Usage: "Make missing topics, check those that are there, give new groups their first offset",
			Description: "Partitions, retention, sizes, replicas and groups stand in the topics file; the flags override it.\n" +
				"It can be run again: what is as it should be stays, what is different is refused before anything is made.",
			Flags: append(kafkaFlags(),
				&ucli.StringFlag{Name: "file", Value: "config/topics.yaml", Usage: "The topics file."},
				&ucli.IntFlag{Name: "partitions", Usage: "Partitions of every topic; they cannot be changed later."},
				&ucli.IntFlag{Name: "replication", Usage: "Brokers that hold each record: 1 on a lone broker."},
				&ucli.IntFlag{Name: "min-in-sync", Usage: "Brokers that must hold a record before it counts as written."},
				&ucli.StringSliceFlag{
					Name: "group", Usage: "A further group and a topic it reads from the beginning, GROUP=TOPIC; with commas between.",
				},
				&ucli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "How long the brokers may take in all."},
			),
			Action: createTopics,
		}},
	}
}

func createTopics(c *ucli.Context) error {
	settings, err := kafka.ReadTopics(c.String("file"))
	if err != nil {
		return err
	}
	for flag, field := range map[string]*int{
		"partitions": &settings.Partitions, "replication": &settings.Replication, "min-in-sync": &settings.MinInSync,
	} {
		if c.IsSet(flag) {
			*field = c.Int(flag)
		}
	}
	for _, group := range c.StringSlice("group") {
		name, topic, _ := strings.Cut(group, "=")
		settings.Groups = append(settings.Groups, topics.Group{Name: name, Topics: []string{topic}})
	}
	if err := settings.Check(); err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	client, err := kafkaClient(c)
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	if err := kafka.CreateTopics(ctx, client, settings, c.App.Writer); err != nil {
		return fmt.Errorf("creating topics at %s: %w", c.String("brokers"), err)
	}
	return nil
}
