package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/topics"
)

const topicsYAML = `
partitions: 2
replication: 1
min_in_sync: 1
max_message_bytes: 1048588
topics:
  - {name: uploads, retention: 7d, retention_bytes: -1, compression: producer}
  - {name: verdicts, retention: 36h, retention_bytes: -1, compression: producer}
groups:
  - {name: detect_flaky, topics: [uploads]}
`

func readTopics(t *testing.T, yaml string) (topics.Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "topics.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	return ReadTopics(path)
}

func lonelyBroker(t *testing.T) *kgo.Client {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestTheTopicsFileOfTheProjectIsRead(t *testing.T) {
	settings, err := ReadTopics("../../config/topics.yaml")
	require.NoError(t, err)
	var names []string
	for _, topic := range settings.Topics {
		names = append(names, topic.Name)
	}
	require.Equal(t, []string{"uploads", "executions", "verdicts", "runs", "upload_reports", "late", "dead_letters"}, names)
}

func TestAMisspeltFieldOfTheTopicsFileIsNamed(t *testing.T) {
	_, err := readTopics(t, strings.Replace(topicsYAML, "min_in_sync", "min_insync", 1))
	require.ErrorContains(t, err, "line 4: field min_insync not found")
	_, err = readTopics(t, strings.Replace(topicsYAML, "7d", "a week", 1))
	require.ErrorContains(t, err, "retention of uploads")
}

func TestTopicsAreMadeOnceAndNewGroupsBeginAtTheStart(t *testing.T) {
	settings, err := readTopics(t, topicsYAML)
	require.NoError(t, err)
	client := lonelyBroker(t)
	var first, second strings.Builder
	require.NoError(t, CreateTopics(t.Context(), client, settings, &first))
	require.Contains(t, first.String(), "topic verdicts made: 2 partitions, 1 replicas")
	require.Contains(t, first.String(), "group detect_flaky begins at the start of uploads, 2 partitions")

	admin := kadm.NewClient(client)
	require.NoError(t, admin.CommitAllOffsets(t.Context(), "detect_flaky", offsetsOf("uploads", 1, 7)))
	require.NoError(t, CreateTopics(t.Context(), client, settings, &second))
	require.Contains(t, second.String(), "topic verdicts is as it should be")
	require.Contains(t, second.String(), "group detect_flaky has its offsets on uploads")
	committed, err := admin.FetchOffsets(t.Context(), "detect_flaky")
	require.NoError(t, err)
	at, _ := committed.Lookup("uploads", 1)
	require.EqualValues(t, 7, at.At, "a committed offset stays")
	at, _ = committed.Lookup("uploads", 0)
	require.EqualValues(t, 0, at.At)
}

func offsetsOf(topic string, partition int32, at int64) kadm.Offsets {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, at, -1)
	return offsets
}

func TestATopicThatIsDifferentIsRefusedBeforeAnyIsMade(t *testing.T) {
	settings, err := readTopics(t, topicsYAML)
	require.NoError(t, err)
	client := lonelyBroker(t)
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(t.Context(), 3, 1, nil, "verdicts")
	require.NoError(t, err)

	var out strings.Builder
	err = CreateTopics(t.Context(), client, settings, &out)
	require.ErrorContains(t, err, "topic verdicts is not as it should be: the number of partitions is 3 and should be 2")
	require.NotContains(t, err.Error(), "\n", "one sentence")
	found, err := admin.ListTopics(t.Context())
	require.NoError(t, err)
	require.False(t, found.Has("uploads"))
}
