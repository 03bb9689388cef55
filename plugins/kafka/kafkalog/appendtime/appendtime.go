// Package appendtime makes the simulated brokers of tests give records the times
// that real brokers give them: they know the settings, and do not act on them.
package appendtime

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const setting = "message.timestamp.type"

// Topics makes topics whose records get the time of the brokers; Stamp makes it true.
func Topics(cluster *kfake.Cluster, partitions int32, names ...string) error {
	for _, name := range names {
		if err := cluster.CreateTopic(name, partitions, map[string]string{setting: "LogAppendTime"}); err != nil {
			return fmt.Errorf("making topic %s: %w", name, err)
		}
	}
	return nil
}

// Reader is an option of all clients that read stamped records: the brokers leave
// the checksum of what they stamp as it was.
func Reader() kgo.Opt { return kgo.DisableFetchCRCValidation() }

// In a batch of records: where what its checksum covers begins, with the attributes.
const (
	checksumAt   = 17
	attributesAt = 21
	appended     = 1 << 3
)

// Stamp has the brokers put their own time in place of the writers', until it is
// told to let them be.
func Stamp(cluster *kfake.Cluster) (let func(be bool)) {
	var idle atomic.Bool
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	cluster.ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		produce, _ := request.(*kmsg.ProduceRequest)
		for _, topic := range produce.Topics {
			for _, p := range topic.Partitions {
				if idle.Load() || len(p.Records) <= attributesAt+1 {
					continue
				}
				p.Records[attributesAt+1] |= appended
				binary.BigEndian.PutUint32(p.Records[checksumAt:], crc32.Checksum(p.Records[attributesAt:], castagnoli))
			}
		}
		return nil, nil, false
	})
	return idle.Store
}

// Created has the brokers say that a topic has the times of its writers, at most
// so far ahead of their own.
func Created(cluster *kfake.Cluster, topic string, ahead time.Duration) {
	settings := map[string]string{setting: "CreateTime", "message.timestamp.after.max.ms": strconv.FormatInt(ahead.Milliseconds(), 10)}
	cluster.ControlKey(kmsg.DescribeConfigs.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		describe, _ := request.(*kmsg.DescribeConfigsRequest)
		if len(describe.Resources) != 1 || describe.Resources[0].ResourceName != topic {
			return nil, nil, false
		}
		cluster.KeepControl()
		response, _ := describe.ResponseKind().(*kmsg.DescribeConfigsResponse)
		resource := kmsg.NewDescribeConfigsResponseResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		for key, value := range settings {
			config := kmsg.NewDescribeConfigsResponseResourceConfig()
			config.Name, config.Value = key, new(value)
			resource.Configs = append(resource.Configs, config)
		}
		response.Resources = append(response.Resources, resource)
		return response, nil, true
	})
}
