package collector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const memoryFile = "collector.json"

// memory is what the front door remembers over restarts, in the data folder;
// the program never writes into suites.yaml of its own accord.
type memory struct {
	file string
	// QuickstartToken is the hash of the token that the first start made.
	QuickstartToken string `json:"quickstart_token,omitempty"`
	// Detection is, by org/suite, the hash of the detection section that the log has.
	Detection map[string]string `json:"detection,omitempty"`
	// TokenUses is when a token (ORG/SUITE NAME) was last used.
	TokenUses map[string]time.Time `json:"token_uses,omitempty"`
}

func recall(dir string) (*memory, error) {
	m := &memory{Detection: map[string]string{}, TokenUses: map[string]time.Time{}}
	if dir == "" {
		return m, nil
	}
	m.file = filepath.Join(dir, memoryFile)
	raw, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the front door remembers: %w", err)
	}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("reading %s: %w: correct it, or move it away: then the quickstart makes a new token", m.file, err)
	}
	if m.Detection == nil {
		m.Detection = map[string]string{}
	}
	if m.TokenUses == nil {
		m.TokenUses = map[string]time.Time{}
	}
	return m, nil
}

func (m *memory) keep() error {
	if m.file == "" {
		return nil
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(m.file, append(raw, '\n'), 0o600)
}
