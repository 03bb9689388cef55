package message

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Place says where the record of a message stands, for a line of the program's log:
// its topic, or else the log's id, with partition and offset.
func Place(m *service.Message) string {
	at, logged := Position(m)
	switch topic := Text(m, testengine.MetaTopic); {
	case !logged:
		return "a message of no log"
	case topic != "":
		return fmt.Sprintf("topic %s partition %d offset %d", topic, at.Partition, at.Offset)
	default:
		return fmt.Sprintf("log %s lane %d offset %d", at.LogID, at.Partition, at.Offset)
	}
}

// Died is deferred by whoever works on a message: when a panic goes through, it tells
// the log of which record, and lets it go on. The process ends by it, and dies again
// at each restart, so the line is what there is to find the record by.
func Died(log *service.Logger, component string, m *service.Message) {
	if cause := recover(); cause != nil {
		log.Errorf("%s died of %s, which is a mistake of this program, please report it: %v", component, Place(m), cause)
		panic(cause)
	}
}
