package topics

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func settings() Settings {
	return Settings{
		Partitions: 8, Replication: 3, MinInSync: 2, MaxMessageBytes: 1 << 20,
		Topics: []Topic{{Name: "uploads", Retention: time.Hour, RetentionBytes: -1, Compression: "producer"}},
		Groups: []Group{{Name: "detect_flaky", Topics: []string{"uploads"}}},
	}
}

func TestSettingsThatCannotBeAreRefusedByName(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Settings)
		says   string
	}{
		{"as they are", func(*Settings) {}, ""},
		{"no partition", func(s *Settings) { s.Partitions = 0 }, "partitions: 0 is not between 1 and 10,000"},
		{"no replica", func(s *Settings) { s.Replication = 0 }, "replication: 0 is less than 1"},
		{"more in sync than there are", func(s *Settings) { s.MinInSync = 4 }, "min_in_sync: 4 is not between 1 and the replication of 3"},
		{"too small for a block", func(s *Settings) { s.MaxMessageBytes = 1000 }, "max_message_bytes: 1000 is less than 65,536"},
		{"no topics", func(s *Settings) { s.Topics = nil }, "topics: there are none"},
		{"a topic twice", func(s *Settings) { s.Topics = append(s.Topics, s.Topics[0]) }, "topics: uploads stands there twice"},
		{"a name with a space", func(s *Settings) { s.Topics[0].Name = "up loads" }, `topics: "up loads" is no name of a topic`},
		{"a negative retention", func(s *Settings) { s.Topics[0].Retention = -1 }, "topics: retention of uploads is negative"},
		{"a negative size", func(s *Settings) { s.Topics[0].RetentionBytes = -2 }, "topics: retention_bytes of uploads is -2"},
		{
			"an unknown compression", func(s *Settings) { s.Topics[0].Compression = "brotli" },
			`topics: compression of uploads is "brotli", not one of producer, uncompressed, gzip, snappy, lz4, zstd`,
		},
		{"a group of an unknown topic", func(s *Settings) { s.Groups[0].Topics = []string{"runs"} }, "groups: detect_flaky reads runs, which is not among the topics"},
		{"a group without a name", func(s *Settings) { s.Groups[0].Name = "" }, "groups: one has no name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := settings()
			test.change(&s)
			if test.says == "" {
				require.NoError(t, s.Check())
				return
			}
			require.EqualError(t, s.Check(), test.says)
		})
	}
}

func TestDifferencesNameWhatIsAndWhatShouldBe(t *testing.T) {
	s := settings()
	found := Found{Partitions: 8, Replication: 3, Configs: s.Configs(s.Topics[0])}
	require.Empty(t, s.Differences(s.Topics[0], found))

	found.Partitions = 4
	found.Configs["retention.ms"] = "1000"
	found.Configs["message.timestamp.type"] = "CreateTime"
	require.Equal(t, []string{
		"the number of partitions is 4 and should be 8 (a topic keeps its number, and more of them are new topics: `connect-testengine state import --help` says how)",
		"message.timestamp.type is CreateTime and should be LogAppendTime",
		"retention.ms is 1000 and should be 3600000",
	}, s.Differences(s.Topics[0], found))
}

func TestRetentionOfZeroIsForEver(t *testing.T) {
	s := settings()
	s.Topics[0].Retention = 0
	require.Equal(t, "-1", s.Configs(s.Topics[0])["retention.ms"])
}

func TestOnlyMissingOffsetsAreCommitted(t *testing.T) {
	begins := map[int32]int64{0: 0, 1: 0, 2: 40}
	require.Equal(t, map[int32]int64{1: 0, 2: 40}, Beginnings(begins, map[int32]int64{0: 17}))
	require.Empty(t, Beginnings(begins, map[int32]int64{0: 1, 1: 2, 2: 3}))
}
