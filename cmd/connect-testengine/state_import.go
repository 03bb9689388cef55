package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	ucli "github.com/urfave/cli/v2"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/hold"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

func importCommand() *ucli.Command {
	return &ucli.Command{
		Name: "import", ArgsUsage: "FILE TO", Action: importState,
		Usage: "Make a state of an exported one, in a folder or a store, for its log or for another one, which may have more partitions",
		Description: `A topic keeps its number of partitions: more of them are a new topic. Nothing is lost or doubled, and detection
forgets nothing, when detect_flaky goes from uploads (6 partitions) to uploads_12 like this:

1. Stop the doors (ingest_uploads); their spools hold what comes, or they answer 503 and collectors try again.
2. Wait until detect_flaky has read everything (testengine_kafka_lag_records is 0 everywhere). Stop all of its processes but
   one, let that one have all partitions for a snapshot_interval (30 s), and stop it. Its folder, OLD, has the whole state:
   the export of step 4 refuses when a partition is not there or stands elsewhere; then start that process once more.
3. Make the new topics, of which the broker stamps the records (connect-testengine topics create --file): uploads_12, and
   with it the topics of results, since partition 7 of uploads goes to partition 7 of those. They may be the old ones with
   more partitions (kafka-topics --alter --partitions 12) or have new names. The group begins at 0 in uploads_12.
4. connect-testengine state export --group detect_flaky OLD state.jsonl
   connect-testengine state import --log ID --partitions 12 state.jsonl TO
   where ID is the new topic's id as the broker's tools print it (kafka-topics --describe), and TO is an empty store:
   store:DIRECTORY, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME&path_style=true (the credentials come from the
   environment or the machine's role). A fleet of one process may do with a folder.
5. Start all processes of detect_flaky with topics: [ uploads_12 ], on empty data folders and that store (or the one process
   on that folder), and the doors with uploads_12 as their topic. Whoever gets a partition begins with its state.

The new number has to be a multiple of the old one: a partition's suites then come from one partition. Each new partition gets
what its predecessor knew of the suites whose keys (org/suite) it has now, and the time of its log, so runs that are open
close when they would have. What names no suite and acts by itself for none is in all of them: the keys of known uploads, and
24 bytes for each test that never failed; so together they take up to twice the memory, and none takes more than before.
The state of an upload log stays with upload logs: a topic spreads suites by another hash. Its kept uploads (retain) can be
   read into the topic instead, by the input upload_log.

Windows (window_aggregate) are over any key, so the command has to be told how the key of a record follows from it, for each
window_aggregate of the pipeline by its name: --windows payments_per_minute={1}, or --windows 'tests={1}/{2}', where {1} is the
first field of "by". Each window then goes on in the partition to which its next events come, with all it has. Windows whose
fields do not say the key of their records (a sum over machines of a topic of suites) cannot be divided: the command refuses.`,
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "log", Usage: "The id of the log it goes on with; the state then stands before its first record. Default: the log it came from."},
			&ucli.IntFlag{Name: "partitions", Usage: "How many partitions that log has: as many as the state, or of a topic of Kafka a multiple."},
			&ucli.StringSliceFlag{Name: "windows", Usage: "NAME=KEY: how the key of records is made of the keys of a window_aggregate's windows; may be given again."},
			&ucli.StringFlag{Name: "pipeline", Usage: "The pipeline whose state it becomes. Default: the one it came from."},
		},
	}
}

func importState(c *ucli.Context) error {
	if err := arguments(c, 2); err != nil {
		return err
	}
	if c.IsSet("log") != c.IsSet("partitions") {
		return errors.New("importing a state: --log and --partitions go together")
	}
	var from io.Reader = os.Stdin
	if name := c.Args().Get(0); name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("importing a state: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = bufio.NewReaderSize(file, 1<<20)
	}
	shared, err := division(c.StringSlice("windows"))
	if err != nil {
		return err
	}
	target := state.Target{
		Log:      testengine.LogIdentity{ID: c.String("log"), Partitions: c.Int("partitions")},
		Pipeline: c.String("pipeline"),
		Division: shared,
	}
	return importInto(c, from, target)
}

// importInto makes the state beside its place first: what goes wrong on the way
// leaves nothing that a process could take for a state.
func importInto(c *ucli.Context, from io.Reader, target state.Target) error {
	to, err := statePlace(c.Context, c.Args().Get(1))
	if err != nil {
		return err
	}
	beside := "" // the system's folder for such files
	if to.Depot == nil {
		beside = filepath.Dir(filepath.Clean(to.Dir))
		err = os.MkdirAll(beside, 0o750)
	}
	temporary := ""
	if err == nil {
		temporary, err = os.MkdirTemp(beside, "importing-")
	}
	if err != nil {
		return fmt.Errorf("importing a state: %w", err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // nobody reads it
	dir := filepath.Join(temporary, "state")
	if err := state.Import(disk.OS(), dir, from, target); err != nil {
		return err
	}
	if to.Depot != nil {
		return state.Publish(c.Context, disk.OS(), dir, state.Options{Depot: to.Depot, Process: "import", Now: time.Now})
	}
	// An empty folder is replaced, any other stays.
	if err := os.Remove(to.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("importing a state: %w", err)
	}
	if err := os.Rename(dir, to.Dir); err != nil {
		return fmt.Errorf("importing a state: %w", err)
	}
	return disk.OS().SyncDir(beside)
}

// division is how the tables of our processors are shared out over the partitions
// of a topic. What windows are about is in the flags: NAME=KEY.
func division(windows []string) (state.Division, error) {
	d := state.Division{
		PartitionOf: func(key string, partitions int) int {
			return kafkalog.KeyPartition(&kgo.Record{Key: []byte(key)}, partitions)
		},
		Tables: map[string]state.Divider{
			// A key that nobody sends again is asked for by nobody, and forgotten in its time.
			"uploads": func(*state.Table, func(string) bool) error { return nil },
			"flaky_detect": func(t *state.Table, mine func(string) bool) error {
				detect.Divide(t, bySuite(mine))
				return nil
			},
			"webhook_reassemble": func(t *state.Table, mine func(string) bool) error {
				hold.Divide(t, bySuite(mine))
				return nil
			},
		},
	}
	for _, one := range windows {
		name, template, ok := strings.Cut(one, "=")
		key, err := panes.ParseRecordKey(template)
		if !ok || err != nil {
			return d, errors.Join(fmt.Errorf("reading --windows %q: it is NAME=KEY", one), err)
		}
		d.Tables["window_aggregate/"+name] = func(t *state.Table, mine func(string) bool) error {
			return panes.Divide(t, func(parts []string) (bool, error) {
				of, err := key.Of(parts)
				return err == nil && mine(of), err
			})
		}
	}
	return d, nil
}

// bySuite asks for the key of a suite's records.
func bySuite(mine func(key string) bool) func(org, suite string) bool {
	return func(org, suite string) bool { return mine(org + "/" + suite) }
}
