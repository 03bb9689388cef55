package stateful

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// fieldState is the name of the field that labels the state.
const fieldState = "state"

// Field is the field `state` of a processor that remembers such things (a plural).
func Field(things string) *service.ConfigField {
	return service.NewStringField(fieldState).Optional().
		Description("The label of the `testengine_state` resource that remembers " + things + ". Without it they are remembered in memory, until the process ends.")
}

// LabelFromParsed reads the field `state`, "" when it is absent.
func LabelFromParsed(conf *service.ParsedConfig) (string, error) {
	if !conf.Contains(fieldState) {
		return "", nil
	}
	return conf.FieldString(fieldState)
}

// TimeOf is the log's time of a message in unix milliseconds; ok is false for a
// message that no log and no door has timed.
func TimeOf(m *service.Message) (now int64, ok bool) {
	if now, ok = message.Int(m, testengine.MetaLogTime); ok {
		return now, true
	}
	return message.Int(m, testengine.MetaReceivedAt)
}
