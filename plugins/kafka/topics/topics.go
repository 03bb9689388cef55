// Package topics says how the topics of a cluster should be, and what is
// different about those that are there.
package topics

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are the topics of one installation. All have the same partitions:
// the record made from partition 3 of one topic goes to partition 3 of the next.
type Settings struct {
	// Partitions of every topic; 1 to 10,000. It cannot be changed later.
	Partitions int
	// Replication is how many brokers hold each record, MinInSync how many must before it counts as written.
	Replication, MinInSync int
	// MaxMessageBytes is the largest batch of records a topic takes, after compression.
	MaxMessageBytes int
	Topics          []Topic
	// Groups are consumer groups that begin at the first record. A group without
	// a committed offset is refused by kafka_stateful: nobody could tell a new
	// group from one that has lost its place.
	Groups []Group
}

// Topic is one topic.
type Topic struct {
	Name string
	// Retention is how long records are kept, at least; 0 is for ever.
	Retention time.Duration
	// RetentionBytes bounds one partition; -1 is no bound.
	RetentionBytes int64
	// Compression is the broker's word: producer (as sent), uncompressed, gzip, snappy, lz4, zstd.
	Compression string
}

// Group is a consumer group and the topics it reads.
type Group struct {
	Name   string
	Topics []string
}

// Found is a topic as a broker describes it.
type Found struct {
	Partitions, Replication int
	Configs                 map[string]string
}

var (
	names        = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	compressions = []string{"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"}
)

// Check returns the first setting that cannot be, by its name in the file.
func (s Settings) Check() error {
	switch {
	case s.Partitions < 1 || s.Partitions > 10_000:
		return fmt.Errorf("partitions: %d is not between 1 and 10,000", s.Partitions)
	case s.Replication < 1:
		return fmt.Errorf("replication: %d is less than 1", s.Replication)
	case s.MinInSync < 1 || s.MinInSync > s.Replication:
		return fmt.Errorf("min_in_sync: %d is not between 1 and the replication of %d", s.MinInSync, s.Replication)
	case s.MaxMessageBytes < 1<<16:
		return fmt.Errorf("max_message_bytes: %d is less than 65,536", s.MaxMessageBytes)
	case len(s.Topics) == 0:
		return errors.New("topics: there are none")
	}
	known := map[string]bool{}
	for _, topic := range s.Topics {
		if err := topic.check(); err != nil {
			return err
		}
		if known[topic.Name] {
			return fmt.Errorf("topics: %s stands there twice", topic.Name)
		}
		known[topic.Name] = true
	}
	for _, group := range s.Groups {
		if group.Name == "" {
			return errors.New("groups: one has no name")
		}
		for _, topic := range group.Topics {
			if !known[topic] {
				return fmt.Errorf("groups: %s reads %s, which is not among the topics", group.Name, topic)
			}
		}
	}
	return nil
}

func (t Topic) check() error {
	switch {
	case !names.MatchString(t.Name):
		return fmt.Errorf("topics: %q is no name of a topic", t.Name)
	case t.Retention < 0:
		return fmt.Errorf("topics: retention of %s is negative", t.Name)
	case t.RetentionBytes < -1:
		return fmt.Errorf("topics: retention_bytes of %s is %d", t.Name, t.RetentionBytes)
	case !slices.Contains(compressions, t.Compression):
		return fmt.Errorf("topics: compression of %s is %q, not one of %s", t.Name, t.Compression, strings.Join(compressions, ", "))
	}
	return nil
}

// Configs are the topic's settings as a broker names them. Log time is the
// clock of everything behind a topic, so the broker stamps records.
func (s Settings) Configs(t Topic) map[string]string {
	retention := int64(-1)
	if t.Retention > 0 {
		retention = t.Retention.Milliseconds()
	}
	return map[string]string{
		"cleanup.policy":         "delete",
		"compression.type":       t.Compression,
		"max.message.bytes":      strconv.Itoa(s.MaxMessageBytes),
		"message.timestamp.type": "LogAppendTime",
		"min.insync.replicas":    strconv.Itoa(s.MinInSync),
		"retention.bytes":        strconv.FormatInt(t.RetentionBytes, 10),
		"retention.ms":           strconv.FormatInt(retention, 10),
	}
}

// Differences lists what is other than it should be, in a stable order: nil
// when the topic is as the settings say.
func (s Settings) Differences(t Topic, found Found) []string {
	var all []string
	differs := func(what string, is, should any) {
		if fmt.Sprint(is) != fmt.Sprint(should) {
			all = append(all, fmt.Sprintf("%s is %v and should be %v", what, is, should))
		}
	}
	if found.Partitions != s.Partitions {
		all = append(all, fmt.Sprintf("the number of partitions is %d and should be %d (a topic keeps its number, and more of them are new topics: `connect-testengine state import --help` says how)",
			found.Partitions, s.Partitions))
	}
	differs("the replication", found.Replication, s.Replication)
	should := s.Configs(t)
	keys := make([]string, 0, len(should))
	for key := range should {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		differs(key, found.Configs[key], should[key])
	}
	return all
}

// Beginnings are the offsets to commit for a group: the begin of each partition
// of which the group has no committed offset. A partition that is given in
// neither map is left out.
func Beginnings(begins, committed map[int32]int64) map[int32]int64 {
	missing := map[int32]int64{}
	for partition, begin := range begins {
		if _, has := committed[partition]; !has {
			missing[partition] = begin
		}
	}
	return missing
}
