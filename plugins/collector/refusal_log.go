package collector

import (
	"fmt"
	"sync"
	"time"
)

// refusalEvery is how often the log says that a suite's uploads are refused for one kind of reason.
const refusalEvery = time.Minute

// refusalLog tells of refused uploads of known suites. Most collectors show a
// refusal in the CI job's log alone, or nowhere, so this is where somebody sees
// that a suite's results are lost. It holds a line for each suite and result.
type refusalLog struct {
	mu   sync.Mutex
	said map[string]refusalLine
}

type refusalLine struct {
	at time.Time
	// more are those of which nothing was said since.
	more int
}

// line is what to say of a refusal, "" for nothing: it was said a moment ago, or
// the whole server refuses, which complain says.
func (l *refusalLog) line(now time.Time, suite string, refused *refusal) string {
	switch refused.result {
	case resultUnauthorized, resultMethod, resultOverloaded, resultNotStored:
		return ""
	}
	key := suite + " " + refused.result
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == nil {
		l.said = map[string]refusalLine{}
	}
	last, known := l.said[key]
	if known && now.Sub(last.at) < refusalEvery {
		last.more++
		l.said[key] = last
		return ""
	}
	l.said[key] = refusalLine{at: now}
	line := fmt.Sprintf("An upload of %s was refused (%d): %s", suite, refused.status, refused.message)
	if last.more > 0 {
		line += fmt.Sprintf("; %d more since the last such line", last.more)
	}
	return line
}
