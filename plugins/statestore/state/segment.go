package state

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// owner binds a file to the pipeline, log and partition it was written for.
type owner struct {
	Pipeline   string `json:"pipeline,omitempty"`
	LogID      string `json:"log_id"`
	Partitions int    `json:"partitions"`
	Partition  int    `json:"partition"`
}

func (o owner) log() testengine.LogIdentity {
	return testengine.LogIdentity{ID: o.LogID, Partitions: o.Partitions}
}

// segmentHeader begins a delta segment. It says which segment it continues, and
// up to where: a segment whose predecessor does not verify that far is not used.
type segmentHeader struct {
	owner
	Number  int64 `json:"number"`
	Prev    int64 `json:"prev"` // 0: the first one
	PrevEnd int64 `json:"prev_end"`
	// Cut voids every frame of an offset >= Cut in the segments before: the
	// state was restored to Cut and what came after it was done again.
	Cut int64 `json:"cut"`
}

// noCut is the cut of a segment that just continues another.
const noCut = 1<<63 - 1

// A segment is a sealed delta segment.
type segment struct {
	header segmentHeader
	// end is the verified length.
	end    int64
	synced bool
}

const (
	segmentPrefix, segmentSuffix   = "delta-", ".seg"
	basePrefix, baseSuffix         = "base-", ".bas"
	manifestPrefix, manifestSuffix = "manifest-", ".json"
	numberDigits                   = 12
)

func numbered(dir, prefix string, number int64, suffix string) string {
	return path.Join(dir, fmt.Sprintf("%s%0*d%s", prefix, numberDigits, number, suffix))
}

func segmentName(dir string, number int64) string {
	return numbered(dir, segmentPrefix, number, segmentSuffix)
}

// numberOf reads a name that numbered made.
func numberOf(name, prefix, suffix string) (int64, bool) {
	digits, found := strings.CutPrefix(path.Base(name), prefix)
	if !found {
		return 0, false
	}
	digits, found = strings.CutSuffix(digits, suffix)
	if !found {
		return 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, err == nil
}
