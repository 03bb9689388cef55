package kafkalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refusal makes an error that is ErrRefused of one sentence.
func Refusal(template string, args ...any) error { return refuse(template, args...) }

const (
	// oldestTxnOffsetCommit is the version that came with fencing by the group's
	// generation (Kafka 2.5): without it a zombie could commit.
	oldestTxnOffsetCommit = 3
	// oldestProduce is the version whose records have headers and a producer's
	// epoch (Kafka 0.11): without it a retry could double or overtake.
	oldestProduce = 3
)

// CheckBrokers refuses brokers that are too old to be written to, or to be
// written to in transactions.
func CheckBrokers(ctx context.Context, client *kgo.Client, transactions bool) error {
	response, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("asking the brokers for their version: %w", err)
	}
	newest := make(map[int16]int16, len(response.ApiKeys))
	for _, key := range response.ApiKeys {
		newest[key.ApiKey] = key.MaxVersion
	}
	switch {
	case transactions && newest[kmsg.TxnOffsetCommit.Int16()] < oldestTxnOffsetCommit:
		return refuse("the brokers are too old for transactions that a group's generation fences: Kafka 2.5 or newer is needed")
	case newest[kmsg.Produce.Int16()] < oldestProduce:
		return refuse("the brokers are too old to tell a repeated record from a new one: Kafka 0.11 or newer is needed")
	}
	return nil
}

// FoundTopic is a topic as the brokers describe it.
type FoundTopic struct {
	ID         [16]byte
	Partitions int
}

// FindTopics asks for topics by their names, and refuses those that do not exist
// or that may not be read, or written.
func FindTopics(ctx context.Context, client *kgo.Client, write bool, names ...string) (map[string]FoundTopic, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.IncludeTopicAuthorizedOperations = true
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("looking for the topics: %w", err)
	}
	right, what := kmsg.ACLOperationRead, "read"
	if write {
		right, what = kmsg.ACLOperationWrite, "write to"
	}
	found := make(map[string]FoundTopic, len(names))
	for _, topic := range response.Topics {
		name := *topic.Topic
		switch err := kerr.ErrorForCode(topic.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, refuse("topic %s does not exist: `connect-testengine topics create` makes those of config/topics.yaml", name)
		case forbidden(err), err == nil && !allowed(topic.AuthorizedOperations, right):
			return nil, refuse("the brokers deny the right to %s topic %s", what, name)
		case err != nil:
			return nil, fmt.Errorf("looking for topic %s: %w", name, err)
		}
		found[name] = FoundTopic{ID: topic.TopicID, Partitions: len(topic.Partitions)}
	}
	for _, name := range names {
		if found[name].Partitions == 0 {
			return nil, fmt.Errorf("looking for topic %s: the brokers say nothing about it", name)
		}
	}
	return found, nil
}

// allowed says whether the brokers list a right among those we have; those that
// list none know no rights.
func allowed(operations int32, right kmsg.ACLOperation) bool {
	if operations == noOperations {
		return true
	}
	for _, operation := range kadm.DecodeACLOperations(operations) {
		if operation == right || operation == kmsg.ACLOperationAll {
			return true
		}
	}
	return false
}

// noOperations is the protocol's word for operations that were not asked for or are not known.
const noOperations = -1 << 31
