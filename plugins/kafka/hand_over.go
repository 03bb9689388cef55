package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// StatePlace is where a version of a pipeline keeps its state: a folder, or a
// depot that all nodes reach.
type StatePlace struct {
	Dir   string
	Depot state.Depot
}

// HandOverSettings say which version of a pipeline gives its work to which.
type HandOverSettings struct {
	// Topic is the log, Group the group that works, Shadow the one in which the
	// new version runs beside it.
	Topic, Group, Shadow string
	// Version is the name of the version that gets the work (kafka_transaction).
	Version string
	// Pipeline is the states' name (testengine_state); depots need it.
	Pipeline string
	From, To StatePlace
}

// HandOver does the next step of giving a pipeline's work to another version. To
// a place without state it copies the newest snapshot, and commits for the shadow
// group where it stands: the new version can run beside the old one. With a state
// there it gives the group itself to the new version, at the record at which the
// old one has stopped. It writes a line for each partition.
func HandOver(ctx context.Context, client *kgo.Client, settings HandOverSettings, out io.Writer) error {
	group, err := kafkalog.FindGroup(ctx, client, settings.Group, settings.Topic)
	if err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	h := handOver{HandOverSettings: settings, client: client, group: group, log: group.Identity(), out: out}
	if h.temporary, err = os.MkdirTemp("", "handover"); err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	defer os.RemoveAll(h.temporary) //nolint:errcheck // What stays is in the system's folder for that.
	empty, err := h.isEmpty(ctx, settings.To)
	if err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	step := h.takeOver
	if empty {
		step = h.begin
	}
	if err := step(ctx); err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	return nil
}

type handOver struct {
	HandOverSettings
	client    *kgo.Client
	group     *kafkalog.Group
	log       testengine.LogIdentity
	out       io.Writer
	temporary string
}

func (h *handOver) isEmpty(ctx context.Context, place StatePlace) (bool, error) {
	if place.Depot != nil {
		return state.DepotIsEmpty(ctx, place.Depot, h.log.Partitions)
	}
	return state.FolderIsEmpty(disk.OS(), place.Dir)
}

// begin gives the new version the old one's snapshot and a place in the log.
func (h *handOver) begin(ctx context.Context) error {
	shadow, err := kafkalog.FindGroup(ctx, h.client, h.Shadow, h.Topic)
	if err != nil {
		return err
	}
	if err := shadow.AwaitNobody(ctx); err != nil {
		return err
	}
	stands, err := h.group.Stands(ctx, false)
	if err != nil {
		return err
	}
	from, err := h.read(ctx, stands)
	if err != nil {
		return err
	}
	at, err := h.snapshots(ctx, from)
	if err != nil {
		return err
	}
	if err := h.write(ctx, from, at); err != nil {
		return err
	}
	if err := shadow.Commit(ctx, h.Version, at); err != nil {
		return err
	}
	h.say(at, "group "+h.Shadow+" begins")
	_, _ = fmt.Fprintf(h.out, "Run version %q in group %s beside the old one, compare what both say, stop both, and call this again.\n", h.Version, h.Shadow)
	return nil
}

// snapshots are where the partitions of a state stand; what has no snapshot
// stands at the log's beginning.
func (h *handOver) snapshots(ctx context.Context, dir string) (map[int]kafkalog.Stand, error) {
	all, err := state.Snapshots(disk.OS(), dir)
	if err != nil {
		return nil, err
	}
	begins, err := h.group.Begins(ctx)
	if err != nil {
		return nil, err
	}
	at := make(map[int]kafkalog.Stand)
	for partition := range h.log.Partitions {
		at[partition] = kafkalog.Stand{}
	}
	for _, s := range all {
		if s.LogID != h.log.ID || s.Partitions != h.log.Partitions {
			return nil, fmt.Errorf("the old state belongs to log %s with %d partitions, not to topic %s, which is %s with %d", s.LogID, s.Partitions, h.Topic, h.log.ID, h.log.Partitions)
		}
		at[s.Partition], h.Pipeline = kafkalog.Stand{Next: s.Next, Time: s.Time}, s.Pipeline
	}
	for partition, stand := range at {
		if stand.Next < begins[partition] {
			return nil, fmt.Errorf("the old state of partition %d stands at record %d, and topic %s begins at %d", partition, stand.Next, h.Topic, begins[partition])
		}
	}
	return at, nil
}

// read is a folder with the old version's snapshots.
func (h *handOver) read(ctx context.Context, stands map[int]kafkalog.Stand) (dir string, err error) {
	if h.From.Depot == nil {
		return h.From.Dir, nil
	}
	dir = filepath.Join(h.temporary, "from")
	_, err = h.bring(ctx, dir, h.From.Depot, stands, nil)
	return dir, err
}

// bring opens a folder over a depot, brings it to where a group stands, and lets
// do do something with it.
func (h *handOver) bring(ctx context.Context, dir string, depot state.Depot, stands map[int]kafkalog.Stand, do func(*state.Store) error) (map[int]int64, error) {
	store, err := state.Open(disk.OS(), state.Options{
		Dir: dir, Pipeline: h.Pipeline, Depot: depot, Process: "handover", Now: time.Now, OrphanAge: time.Hour,
		Warn: func(text string) { _, _ = fmt.Fprintln(h.out, "note: "+text) },
	})
	if err != nil {
		return nil, err
	}
	reach := make(map[int]int64)
	for partition, stand := range stands {
		reach[partition] = stand.Next
	}
	at, err := store.Bring(ctx, h.log, reach)
	if err == nil && do != nil {
		err = do(store)
	}
	return at, errors.Join(err, store.Close(ctx))
}

// write makes the new version's state of the old one's snapshots.
func (h *handOver) write(ctx context.Context, from string, at map[int]kafkalog.Stand) error {
	dir := h.To.Dir
	if h.To.Depot != nil {
		dir = filepath.Join(h.temporary, "to")
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(state.Export(ctx, disk.OS(), from, writer)) }()
	if err := errors.Join(state.Import(disk.OS(), dir, reader, state.Target{}), reader.Close()); err != nil {
		return err
	}
	if h.To.Depot == nil {
		return nil
	}
	_, err := h.bring(ctx, dir, h.To.Depot, at, func(store *state.Store) error { return store.Upload(ctx) })
	return err
}

// takeOver gives the group to the new version, where the old one has stopped.
func (h *handOver) takeOver(ctx context.Context) error {
	shadow, err := kafkalog.FindGroup(ctx, h.client, h.Shadow, h.Topic)
	if err != nil {
		return err
	}
	for _, group := range []*kafkalog.Group{h.group, shadow} {
		if err := group.AwaitNobody(ctx); err != nil {
			return err
		}
	}
	stands, err := h.group.Stands(ctx, true)
	if err != nil {
		return err
	}
	begins, err := h.group.Begins(ctx)
	if err != nil {
		return err
	}
	if err := h.reaches(ctx, stands, begins); err != nil {
		return err
	}
	if err := h.group.Commit(ctx, h.Version, stands); err != nil {
		return err
	}
	h.say(stands, fmt.Sprintf("group %s is handed over to version %q", h.Group, h.Version))
	return nil
}

// reaches looks whether the new version's state can be brought to where the old one has stopped.
func (h *handOver) reaches(ctx context.Context, stands map[int]kafkalog.Stand, begins map[int]int64) error {
	if h.To.Depot == nil {
		reach := make(map[int]int64)
		for partition, stand := range stands {
			reach[partition] = stand.Next
		}
		return state.Reaches(disk.OS(), h.To.Dir, h.log, reach, begins)
	}
	at, err := h.bring(ctx, filepath.Join(h.temporary, "to"), h.To.Depot, stands, nil)
	if err != nil {
		return err
	}
	for partition, next := range at {
		if next < begins[partition] {
			return fmt.Errorf("the new state of partition %d stands at record %d, and topic %s begins at %d", partition, next, h.Topic, begins[partition])
		}
	}
	return nil
}

func (h *handOver) say(stands map[int]kafkalog.Stand, what string) {
	for _, partition := range slices.Sorted(maps.Keys(stands)) {
		_, _ = fmt.Fprintf(h.out, "partition %d: %s at record %d\n", partition, what, stands[partition].Next)
	}
}
