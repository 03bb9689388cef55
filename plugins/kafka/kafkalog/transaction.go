package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Transaction is one group member and one transactional producer: the outputs
// of a cycle and the offsets behind them are committed together or not at all.
// The source drives it; outputs produce into the present cycle.
type Transaction struct {
	// ID is the transactional id: group/pipeline/instance.
	ID         string
	Group      string
	InstanceID string
	Timeout    time.Duration
	// Client reaches the brokers, Producer says how records are written.
	Client   []kgo.Opt
	Producer []kgo.Opt

	// mu is held for reading while a record is handed to the producer, for
	// writing when the cycle or the session changes.
	mu      sync.RWMutex
	session *kgo.GroupTransactSession
	cycle   int64 // the present one, 0 between cycles
	last    int64

	failures sync.Mutex
	failed   map[int]error // by lane number: the first record that was not written
}

// ErrLateBatch says that a batch belongs to another cycle than the present one:
// in this transaction its records would be there twice.
var ErrLateBatch = errors.New("the batch belongs to a cycle that has ended")

// open joins the group with a session of its own.
func (t *Transaction) open(options ...kgo.Opt) error {
	session, err := kgo.NewGroupTransactSession(slices.Concat(t.Client, t.Producer, options,
		[]kgo.Opt{kgo.TransactionalID(t.ID), kgo.TransactionTimeout(t.Timeout), kgo.DisableClientMetrics()})...)
	if err != nil {
		return fmt.Errorf("opening a transaction session: %w", err)
	}
	t.mu.Lock()
	t.session = session
	t.mu.Unlock()
	return nil
}

// close leaves without ending the present transaction: the broker aborts it.
func (t *Transaction) close() {
	t.mu.Lock()
	session := t.session
	t.session, t.cycle = nil, 0
	t.mu.Unlock()
	if session != nil {
		session.Close()
	}
}

// begin starts the next cycle and returns its number.
func (t *Transaction) begin() (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.session.Begin(); err != nil {
		return 0, fmt.Errorf("beginning a transaction: %w", err)
	}
	t.failures.Lock()
	t.failed = nil
	t.failures.Unlock()
	t.last++
	t.cycle = t.last
	return t.cycle, nil
}

// seal ends the time in which records may join the cycle.
func (t *Transaction) seal() {
	t.mu.Lock()
	t.cycle = 0
	t.mu.Unlock()
}

// Produce hands a record to the producer as part of that cycle and returns at
// once; written is called when the record's bytes are free again. lane is the
// number of the lane that is to blame if the record cannot be written: the
// cycle is then aborted.
func (t *Transaction) Produce(cycle int64, lane int, r *kgo.Record, written func()) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if cycle == 0 || cycle != t.cycle {
		return fmt.Errorf("producing for cycle %d while cycle %d runs: %w", cycle, t.cycle, ErrLateBatch)
	}
	// The record outlives the call, so it must not end with the caller's context.
	t.session.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			t.fail(lane, fmt.Errorf("writing to topic %s partition %d: %w", r.Topic, r.Partition, err))
		}
		if written != nil {
			written()
		}
	})
	return nil
}

func (t *Transaction) fail(lane int, err error) {
	t.failures.Lock()
	defer t.failures.Unlock()
	if t.failed == nil {
		t.failed = make(map[int]error)
	}
	if t.failed[lane] == nil {
		t.failed[lane] = err
	}
}

// failure is a record of the cycle that was not written, and all lanes that have one.
func (t *Transaction) failure() (lanes []int, err error) {
	t.failures.Lock()
	defer t.failures.Unlock()
	for lane, failed := range t.failed {
		err, lanes = failed, append(lanes, lane)
	}
	return lanes, err
}

// client is the session's client, nil while there is no session.
func (t *Transaction) client() *kgo.Client {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.session == nil {
		return nil
	}
	return t.session.Client()
}

// fenced says whether somebody else has taken this member's or producer's
// place: then going on, or coming back, would take it from him.
func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.FencedInstanceID)
}

// forbidden says whether the brokers deny a right: trying again does not help.
func forbidden(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// asRefusal turns the errors after which there is no way on into a sentence.
func (s *Source) asRefusal(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrRefused):
		return err
	case fenced(err):
		return refuse("another process has taken the place of instance %q in group %s, or the brokers gave its transaction up while it stood still, so this one ends: %v", s.options.InstanceID, s.options.Group, err)
	case forbidden(err):
		return refuse("the brokers deny group %s a right that it needs: %v", s.options.Group, err)
	}
	return err
}
