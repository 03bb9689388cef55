package kafka

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/topics"
)

// topicsFile is config/topics.yaml as it is written.
type topicsFile struct {
	Partitions      int          `yaml:"partitions"`
	Replication     int          `yaml:"replication"`
	MinInSync       int          `yaml:"min_in_sync"`
	MaxMessageBytes int          `yaml:"max_message_bytes"`
	Topics          []topicEntry `yaml:"topics"`
	Groups          []groupEntry `yaml:"groups"`
}

type topicEntry struct {
	Name           string `yaml:"name"`
	Retention      string `yaml:"retention"`
	RetentionBytes int64  `yaml:"retention_bytes"`
	Compression    string `yaml:"compression"`
}

type groupEntry struct {
	Name   string   `yaml:"name"`
	Topics []string `yaml:"topics"`
}

// ReadTopics reads a topics file. A field nobody knows is an error that names
// its line, as is a setting that cannot be.
func ReadTopics(path string) (topics.Settings, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return topics.Settings{}, fmt.Errorf("reading the topics: %w", err)
	}
	var file topicsFile
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return topics.Settings{}, fmt.Errorf("reading %s: %w", path, err)
	}
	settings := topics.Settings{
		Partitions: file.Partitions, Replication: file.Replication, MinInSync: file.MinInSync, MaxMessageBytes: file.MaxMessageBytes,
	}
	for _, one := range file.Topics {
		retention, err := daysOrDuration(one.Retention)
		if err != nil {
			return settings, fmt.Errorf("reading %s: retention of %s: %w", path, one.Name, err)
		}
		settings.Topics = append(settings.Topics, topics.Topic{
			Name: one.Name, Retention: retention, RetentionBytes: one.RetentionBytes, Compression: one.Compression,
		})
	}
	for _, one := range file.Groups {
		settings.Groups = append(settings.Groups, topics.Group{Name: one.Name, Topics: one.Topics})
	}
	if err := settings.Check(); err != nil {
		return settings, fmt.Errorf("reading %s: %w", path, err)
	}
	return settings, nil
}

// daysOrDuration reads 7d, and what Go reads as a duration.
func daysOrDuration(text string) (time.Duration, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(days); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	return time.ParseDuration(text)
}
