package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/counter"
	"github.com/connect-testengine/connect-testengine/tests/refused"
)

// incompatible is a registry that refuses every schema.
type incompatible struct{ testengine.RecordCodec }

func (incompatible) Prepare(context.Context, ...testengine.Kind) error {
	return fmt.Errorf("registering schema block: %w", testengine.ErrIncompatibleSchema)
}

// refusalOf runs a stream until it has ended by itself and returns what it logged
// as errors.
func refusalOf(t *testing.T, yaml string) string {
	t.Helper()
	env := counter.Environment(t)
	require.NoError(t, env.RegisterCustomResource("testengine_schemas", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (any, error) { return incompatible{}, nil }))
	return refused.Stream(t, env, yaml)
}

// The rights of a pipeline in one transaction.
const (
	rightUploads = iota
	rightResults
	rightLetters
	rightGroup
	rightTransaction
	rightTicks // uploads may be read, and not written
)

// guardedKafka is a broker on which user "worker" has all rights but the one.
func guardedKafka(t *testing.T, without int) (addresses string) {
	t.Helper()
	var granted []kfake.ACL
	for n, acl := range []kfake.ACL{
		rightUploads:     {Resource: kmsg.ACLResourceTypeTopic, Name: "uploads", Operation: kmsg.ACLOperationAll},
		rightResults:     {Resource: kmsg.ACLResourceTypeTopic, Name: "results", Operation: kmsg.ACLOperationAll},
		rightLetters:     {Resource: kmsg.ACLResourceTypeTopic, Name: "dead_letters", Operation: kmsg.ACLOperationAll},
		rightGroup:       {Resource: kmsg.ACLResourceTypeGroup, Name: "pipeline", Operation: kmsg.ACLOperationAll},
		rightTransaction: {Resource: kmsg.ACLResourceTypeTransactionalId, Name: "*", Operation: kmsg.ACLOperationAll},
	} {
		acl.Pattern, acl.Allow = kmsg.ACLResourcePatternTypeLiteral, true
		switch {
		case n == without:
			acl.Operation = kmsg.ACLOperationDescribe
		case n == rightUploads && without == rightTicks:
			acl.Operation = kmsg.ACLOperationRead
		}
		granted = append(granted, acl)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(kafkaPartitions, "uploads", "results", "dead_letters"),
		kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "root"), kfake.User("PLAIN", "worker", "secret", granted...))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	appendtime.Created(cluster, "uploads", time.Hour)
	root, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.SASL(plain.Auth{User: "root", Pass: "root"}.AsMechanism()))
	require.NoError(t, err)
	defer root.Close()
	beginAtZero(t, root, "uploads")
	return strings.Join(cluster.ListenAddrs(), ",")
}

// beginAtZero commits 0 for the group in topics.
func beginAtZero(t *testing.T, client *kgo.Client, topics ...string) {
	t.Helper()
	var begin kadm.Offsets
	for _, topic := range topics {
		for partition := range int32(kafkaPartitions) {
			begin.AddOffset(topic, partition, 0, -1)
		}
	}
	_, err := kadm.NewClient(client).CommitOffsets(t.Context(), "pipeline", begin)
	require.NoError(t, err)
}

// oldKafka is a broker of an older version.
func oldKafka(t *testing.T, version *kversion.Versions) (addresses string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(kafkaPartitions, "uploads", "results", "dead_letters"), kfake.MaxVersions(version))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return strings.Join(cluster.ListenAddrs(), ",")
}

func TestAStreamThatCannotGoWellIsRefusedAtItsStart(t *testing.T) {
	const atLeastOnce = `
input: {generate: {mapping: 'root = "{}"', interval: 1h}}
output:
  kafka_blocks:
    seed_brokers: [ BROKERS ]
    topic: results
    key: web
    format: raw
`
	signedIn := func(yaml string) string {
		return strings.ReplaceAll(yaml, "seed_brokers: [ BROKERS ]", "seed_brokers: [ BROKERS ]\n    sasl: {mechanism: PLAIN, username: worker, password: secret}")
	}
	for _, test := range []struct {
		name      string
		addresses func(t *testing.T) string
		yaml      func(dir string) string
		want      string
	}{
		{
			name: "an output's topic that does not exist",
			yaml: func(dir string) string {
				return strings.Replace(exactlyOnce(dir), "topic: results", "topic: reslts", 1)
			},
			want: "topic reslts does not exist: `connect-testengine topics create` makes those of config/topics.yaml",
		},
		{
			name: "the same without a transaction",
			yaml: func(string) string { return strings.Replace(atLeastOnce, "topic: results", "topic: reslts", 1) },
			want: "topic reslts does not exist",
		},
		{
			name: "an input's topic that does not exist",
			yaml: func(dir string) string { return strings.Replace(exactlyOnce(dir), "[ uploads ]", "[ uplods ]", 1) },
			want: "topic uplods does not exist",
		},
		{
			name: "an input's transaction that is not in the configuration",
			yaml: func(dir string) string {
				return strings.Replace(exactlyOnce(dir), "transaction: transaction\n    topics", "transaction: translation\n    topics", 1)
			},
			want: "unable to locate resource: translation",
		},
		{
			name: "an input's state that is not in the configuration",
			yaml: func(dir string) string {
				return strings.Replace(exactlyOnce(dir), "    state: state\n    log_time", "    state: stats\n    log_time", 1)
			},
			want: "unable to locate resource: stats",
		},
		{
			name: "an output's schemas that are not in the configuration",
			yaml: func(string) string {
				return strings.NewReplacer("topic: results", "topics: {block: results}", "format: raw", "schemas: registry").Replace(atLeastOnce)
			},
			want: "unable to locate resource: registry",
		},
		{
			name: "a topic that takes smaller batches",
			yaml: func(dir string) string { return strings.Replace(exactlyOnce(dir), "64KiB", "2MiB", 1) },
			want: "raise the one or lower the other",
		},
		{
			name:      "an output's topic that may not be written",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightResults) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny the right to write to topic results",
		},
		{
			name:      "the same without a transaction",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightResults) },
			yaml:      func(string) string { return signedIn(atLeastOnce) },
			want:      "the brokers deny the right to write to topic results",
		},
		{
			name:      "an input's topic that may not be read",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightUploads) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny the right to read topic uploads",
		},
		{
			name:      "an input's topic to which ticks may not be appended",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightTicks) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny the right to write to topic uploads, to which ticks are appended",
		},
		{
			name:      "dead letters that may not be written",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightLetters) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny the right to write to topic dead_letters",
		},
		{
			name:      "a group that may not be joined",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightGroup) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny group pipeline a right that it needs",
		},
		{
			name:      "transactions that may not be begun",
			addresses: func(t *testing.T) string { return guardedKafka(t, rightTransaction) },
			yaml:      func(dir string) string { return signedIn(exactlyOnce(dir)) },
			want:      "the brokers deny group pipeline a right that it needs",
		},
		{
			name:      "brokers that are too old for transactions of a group",
			addresses: func(t *testing.T) string { return oldKafka(t, kversion.V2_4_0()) },
			yaml:      exactlyOnce,
			want:      "Kafka 2.5 or newer is needed",
		},
		{
			name: "state behind a topic that has the times of its writers",
			yaml: func(dir string) string {
				return strings.Replace(exactlyOnce(dir), "log_time: created", "log_time: appended", 1)
			},
			want: "set message.timestamp.type=LogAppendTime on the topic",
		},
		{
			name:      "brokers that cannot tell a repeated record",
			addresses: func(t *testing.T) string { return oldKafka(t, kversion.V0_10_2()) },
			yaml:      func(string) string { return atLeastOnce },
			want:      "Kafka 0.11 or newer is needed",
		},
		{
			name: "a schema that does not fit those before it",
			yaml: func(dir string) string {
				return strings.Replace(exactlyOnce(dir), "    topic: results\n    format: raw", "    topics: {block: results}\n    schemas: registry", 1) +
					"testengine_schemas:\n  - label: registry\n"
			},
			want: "the schema is not compatible with what was written before",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var addresses string
			if test.addresses != nil {
				addresses = test.addresses(t)
			} else {
				addresses = newTestKafka(t).addresses
			}
			logged := refusalOf(t, strings.ReplaceAll(test.yaml(t.TempDir()), "BROKERS", addresses))
			require.Contains(t, logged, "The stream ends: ")
			require.Contains(t, logged, test.want)
		})
	}
}

func TestAStateThatDoesNotFitIsRefusedAtItsStart(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		yaml  func(yaml string) string
		want  string
	}{
		{
			name: "state of another pipeline",
			yaml: func(yaml string) string {
				return strings.Replace(yaml, "/state\ninput", "/state\n    pipeline: another\ninput", 1)
			},
			want: "belongs to pipeline ",
		},
		{
			name: "state that a newer program wrote",
			spoil: func(t *testing.T, dir string) {
				files, err := filepath.Glob(filepath.Join(dir, "state", "*", "delta-*.seg"))
				require.NoError(t, err)
				require.NotEmpty(t, files)
				for _, name := range files {
					content, err := os.ReadFile(name)
					require.NoError(t, err)
					require.NoError(t, os.WriteFile(name, append([]byte("TEstate2"), content[8:]...), 0o600))
				}
			},
			want: "was written by another version of this program",
		},
		{
			name: "state of another topic",
			yaml: func(yaml string) string { return strings.Replace(yaml, "[ uploads ]", "[ elsewhere ]", 1) },
			want: "belongs to log ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, dir := newTestKafka(t), t.TempDir()
			_, err := kadm.NewClient(k.client).CreateTopic(t.Context(), kafkaPartitions, 1, map[string]*string{"message.timestamp.type": new("LogAppendTime")}, "elsewhere")
			require.NoError(t, err)
			beginAtZero(t, k.client, "elsewhere")
			k.produce(uploadRecords("web", 0, 5)...)
			stop, _ := k.run(exactlyOnce(dir))
			k.wait("results", 5)
			stop()
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			yaml := strings.ReplaceAll(exactlyOnce(dir), "BROKERS", k.addresses)
			if test.yaml != nil {
				yaml = test.yaml(yaml)
			}
			logged := refusalOf(t, yaml)
			require.Contains(t, logged, "The stream ends: ")
			require.Contains(t, logged, test.want)
			require.Len(t, k.wait("results", 5), 5, "nothing was done with it")
		})
	}
}
