package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/kafka"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/outputs"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/bucket"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

const handoverDescription = `Blue is the version that works in group detect_flaky, green the new one. The same
command does one step after the other:

     connect-testengine state handover --group detect_flaky --version green BLUE GREEN

1. While green has no state: it gets blue's newest snapshot, and its shadow group
   (detect_flaky_green) the place in the log at which that stands. Blue works on.
2. Green runs beside blue in the shadow group, with topics of its own for what it
   says (of pipelines/detect_flaky.yaml: TESTENGINE_GROUP=detect_flaky_green
   TESTENGINE_TOPICS_SUFFIX=_green TESTENGINE_VERSION=green, and TESTENGINE_DATA
   and TESTENGINE_STATE_STORE of its own). Those topics are made before, by
   "topics create --file"; with --group compare=verdicts,compare_green=verdicts_green
   it lets two short streams write down what both say, which is compared, window by
   window:
     input: {kafka_stateful: {seed_brokers: [ HOST:PORT ], group: compare, topics: [ verdicts ]}}
     output: {ndjson_file: {path: blue.ndjson, kinds: [ verdict ]}}

     connect-testengine state compare blue.ndjson green.ndjson
3. Blue is stopped (it drains and commits), green is stopped. The command, again,
   says for each partition at which record the work goes over. From then on the
   group is green's: every process of another version is refused, wherever it runs.
4. Green starts in group detect_flaky with blue's topics and TESTENGINE_VERSION=green.
   It is brought to the group's offsets silently and goes on from exactly there.

Rollback is the same the other way round, with blue's version ("" when it has none):
     connect-testengine state handover --group detect_flaky --version "" GREEN BLUE

BLUE and GREEN are where each has its state: a folder of this machine, or the store
of its testengine_state, which all machines reach: store:DIRECTORY, or
s3://BUCKET/PREFIX?endpoint=URL&region=NAME&path_style=true (the credentials come
from the environment or the machine's role).

Without --group both are folders of processes that read an upload_log: after
"state export" and "state import" the command gives the log's state over, and the
old folder refuses to open.`

func handoverCommand() *ucli.Command {
	return &ucli.Command{
		Name: "handover", ArgsUsage: "FROM TO", Action: handOverState, Description: handoverDescription,
		Usage: "Give the work of one version of a pipeline to another one, at a record for each partition; back the same way",
		Flags: append(kafkaFlags(),
			&ucli.StringFlag{Name: "group", Usage: "The consumer group whose work is handed over."},
			&ucli.StringFlag{Name: "shadow", Usage: "The group in which the new version runs beside the old one. Default: the group's name, _ and the version."},
			&ucli.StringFlag{Name: "version", Usage: "The version (kafka_transaction.version) that gets the work."},
			&ucli.StringFlag{Name: "topic", Value: "uploads", Usage: "The topic that the group reads."},
			&ucli.StringFlag{Name: "pipeline", Usage: "The states' name (testengine_state.pipeline), when one lies in a store."},
			&ucli.DurationFlag{Name: "timeout", Value: 5 * time.Minute, Usage: "How long it may take in all, with the wait until nobody is in the groups."},
		),
	}
}

func compareCommand() *ucli.Command {
	return &ucli.Command{
		Name: "compare", ArgsUsage: "FIRST SECOND", Action: compareOutputs,
		Usage: "Compare what two versions of a pipeline have written (lines of JSON), window by window",
		Flags: []ucli.Flag{
			&ucli.DurationFlag{Name: "window", Value: time.Minute, Usage: "The length of a window."},
			&ucli.StringFlag{Name: "time", Value: "time", Usage: "The field with a line's time, in unix milliseconds or RFC 3339."},
			&ucli.StringSliceFlag{Name: "ignore", Usage: "A field in which the versions may differ; may be given again."},
		},
	}
}

func handOverState(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	if c.String("group") != "" {
		return handOverGroup(c)
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

func handOverGroup(c *ucli.Context) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	settings := kafka.HandOverSettings{
		Topic: c.String("topic"), Group: c.String("group"), Shadow: c.String("shadow"),
		Version: c.String("version"), Pipeline: c.String("pipeline"),
	}
	if settings.Shadow == "" {
		settings.Shadow = settings.Group + "_" + settings.Version
	}
	var err error
	if settings.From, err = statePlace(ctx, c.Args().Get(0)); err != nil {
		return err
	}
	if settings.To, err = statePlace(ctx, c.Args().Get(1)); err != nil {
		return err
	}
	client, err := kafkaClient(c)
	if err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	defer client.Close()
	return kafka.HandOver(ctx, client, settings, c.App.Writer)
}

// statePlace reads a folder's path, store:DIRECTORY or s3://BUCKET/PREFIX?….
func statePlace(ctx context.Context, text string) (kafka.StatePlace, error) {
	if dir, ok := strings.CutPrefix(text, "store:"); ok {
		directory, err := depot.NewDirectory(disk.OS(), dir)
		return kafka.StatePlace{Depot: directory}, err
	}
	if !strings.HasPrefix(text, "s3://") {
		return kafka.StatePlace{Dir: text}, nil
	}
	at, err := url.Parse(text)
	if err != nil {
		return kafka.StatePlace{}, fmt.Errorf("reading the place of a state: %w", err)
	}
	query := at.Query()
	region := query.Get("region")
	if region == "" {
		region = "us-east-1"
	}
	bucketed, err := bucket.New(ctx, bucket.Config{
		Bucket: at.Host, Prefix: strings.Trim(at.Path, "/"), Endpoint: query.Get("endpoint"), Region: region, PathStyle: query.Get("path_style") == "true",
	})
	if err != nil {
		return kafka.StatePlace{}, fmt.Errorf("reading the place of a state: %w", err)
	}
	return kafka.StatePlace{Depot: bucketed}, nil
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
