package kafkalog

import (
	"encoding/json"
	"strings"
)

// note is what a commit says beside its offset: 4 KB at most.
type note struct {
	// Log is the topic's id; offsets of another are refused.
	Log string `json:"log,omitempty"`
	// Time is T at the offset, unix milliseconds.
	Time int64 `json:"time,omitempty"`
	// Logic is what the state behind was computed with.
	Logic string `json:"logic,omitempty"`
	// Version is the version of the pipeline that the group belongs to; another one
	// is refused.
	Version string `json:"version,omitempty"`
	// Intent is the end of the range that was handed out from the offset on, or 0.
	Intent int64 `json:"intent,omitempty"`
}

// maxLogic keeps a note under the brokers' limit.
const maxLogic = 3 << 10

func (n note) encode() string {
	n.Logic = n.Logic[:min(len(n.Logic), maxLogic)]
	text, _ := json.Marshal(n) //nolint:errchkjson // strings and numbers always encode
	return string(text)
}

// decodeNote reads a note; what is none (a commit by `topics create`, another
// client's) is an empty one.
func decodeNote(text string) (n note) {
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &n) != nil {
		return note{}
	}
	return n
}

// logicTeller is a follower that can say what its state is computed with.
type logicTeller interface{ Logic(partition int) string }

// note is what the lane's next commit says. mu is held.
func (s *Source) note(l *lane) note {
	n := note{Log: s.topicID(l.Topic), Time: l.timeNext, Version: s.options.Version}
	if teller, ok := s.options.Follower.(logicTeller); ok {
		n.Logic = teller.Logic(l.Number)
	}
	return n
}
