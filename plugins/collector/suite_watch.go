package collector

import (
	"fmt"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// usesEvery is how often the last uses of tokens are written down.
const usesEvery = 30 * time.Second

// suiteWatch follows the suites file: tokens and limits count at once, a changed
// detection section goes through the log, because detection is a function of it.
type suiteWatch struct {
	door      *door
	directory *directory
	memory    *memory
	keptUses  time.Time
	// tell is what the quickstart has to say to the user.
	tell string
}

func newSuiteWatch(config doorConfig, door *door, base func() string) (*suiteWatch, error) {
	remembered, err := recall(config.dataDir)
	if err != nil {
		return nil, err
	}
	w := &suiteWatch{door: door, memory: remembered}
	var extra []tenant.Suite
	if config.quickstart != "" {
		organization, suite, _ := strings.Cut(config.quickstart, "/")
		if !validSlug(organization) || !validSlug(suite) {
			return nil, fmt.Errorf("reading %s: %q is not ORG/SUITE", cfQuickstart, config.quickstart)
		}
		quick := quickstart{organization: organization, suite: suite, defaultBranch: "main", token: config.token}
		opened, tell, err := quick.open(remembered, base())
		if err != nil {
			return nil, err
		}
		w.tell = tell
		extra = append(extra, opened)
	}
	w.directory, err = newDirectory(config.suitesFile, extra, door.now)
	return w, err
}

// follow looks at the file until the door stops.
func (w *suiteWatch) follow() {
	every := time.NewTicker(w.door.config.reloadEvery)
	defer every.Stop()
	sent := w.sendChanges()
	for {
		select {
		case <-w.door.desk.Stopped():
			return
		case <-every.C:
		}
		changed, err := w.directory.reload()
		switch {
		case err != nil:
			w.door.metrics.reloads.Incr(1, "broken")
			w.door.metrics.brokenFile.Set(1)
			w.door.log.Errorf("The suites file is broken, the tenants stay as they were: %v", err)
		case changed:
			w.door.metrics.reloads.Incr(1, "loaded")
			w.door.metrics.brokenFile.Set(0)
			w.door.log.Infof("The suites file has changed: %d suites", len(w.directory.Suites()))
		}
		if changed || !sent {
			sent = w.sendChanges()
		}
		w.door.measure()
		w.keepUses()
	}
}

// keepUses remembers when tokens were last used, at most once a usesEvery.
func (w *suiteWatch) keepUses() {
	if now := w.door.now(); now.Sub(w.keptUses) >= usesEvery {
		w.keptUses = now
		changed := false
		for token, at := range w.directory.lastUses() {
			if !w.memory.TokenUses[token].Equal(at) {
				w.memory.TokenUses[token], changed = at, true
			}
		}
		if !changed {
			return
		}
		if err := w.memory.keep(); err != nil {
			w.door.log.Warnf("Remembering when tokens were used: %v", err)
		}
	}
}

// sendChanges puts every detection section that the log does not have into it,
// and reports whether the log has all of them now.
func (w *suiteWatch) sendChanges() bool {
	complete := true
	present := map[string]bool{}
	suites := w.directory.Suites()
	for i := range suites {
		key := suites[i].Organization + "/" + suites[i].Name
		present[key] = true
		complete = w.sendChange(suites[i].Organization, suites[i].Name, suites[i].DefaultBranch, suites[i].Detection) && complete
	}
	for key := range w.memory.Detection {
		if organization, suite, _ := strings.Cut(key, "/"); !present[key] {
			complete = w.sendChange(organization, suite, "", "") && complete
		}
	}
	return complete
}

// sendChange sends one section unless the log has it. A section that is gone is
// sent as {}: everything as the pipeline says.
func (w *suiteWatch) sendChange(organization, suite, branch string, section testengine.RawJSON) bool {
	key := organization + "/" + suite
	hash := ""
	if section != "" {
		hash = testengine.FormatID(testengine.Hash(testengine.SuiteSeed(organization, suite), string(section)))
	}
	if w.memory.Detection[key] == hash {
		return true
	}
	if section == "" {
		section = "{}"
	}
	if err := w.door.deliver(organization, w.door.changeMessage(organization, suite, branch, testengine.ChangeDetection, section), nil); err != nil {
		return false
	}
	w.memory.Detection[key] = hash
	if hash == "" {
		delete(w.memory.Detection, key)
	}
	if err := w.memory.keep(); err != nil {
		// The next start sends it again, which changes nothing.
		w.door.log.Warnf("Remembering the detection section of %s: %v", key, err)
	}
	return true
}
