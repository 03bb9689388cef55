package collector

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const suitesHeader = `# Suites, their tokens and limits. A running front door reads changes within
# seconds. Tokens stand here as hashes only; this command makes them:
#   connect-testengine suite add ORG/SUITE
suites:
`

// NewSuite is what AddSuite writes.
type NewSuite struct {
	Organization  string
	Suite         string
	DefaultBranch string
	Scopes        []string
}

// AddSuite appends a suite with a fresh token to a suites file, which keeps its
// comments and its layout, and returns the token. It is stored nowhere.
func AddSuite(file string, suite NewSuite) (token string, err error) {
	if !validSlug(suite.Organization) || !validSlug(suite.Suite) {
		return "", fmt.Errorf("adding a suite: %q is not ORG/SUITE with letters, digits, dots, dashes and underscores",
			suite.Organization+"/"+suite.Suite)
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = []byte(suitesHeader), nil
	}
	if err != nil {
		return "", fmt.Errorf("adding a suite: %w", err)
	}
	if token, err = freshToken(); err != nil {
		return "", err
	}
	changed, err := appendSuite(raw, suite, tenant.HashToken(token))
	if err != nil {
		return "", fmt.Errorf("adding a suite to %s: %w", file, err)
	}
	if err := replaceFile(file, changed, 0o644); err != nil {
		return "", fmt.Errorf("adding a suite: %w", err)
	}
	return token, nil
}

// Variables is what a team pastes into CI so that its collectors report to base.
func Variables(base, token string) string {
	return answer.Variables(FrontDoor(base), token)
}

// appendSuite adds lines to the text, so that what people wrote stays as they
// wrote it, and reads the result back before anybody else does.
func appendSuite(raw []byte, suite NewSuite, hash tenant.Hash) ([]byte, error) {
	before, organizations, err := parseSuites(raw)
	if err != nil {
		return nil, err
	}
	for i := range before {
		if before[i].Organization == suite.Organization && before[i].Name == suite.Suite {
			return nil, fmt.Errorf("%s/%s is there already: choose another name, or remove it first", suite.Organization, suite.Suite)
		}
	}
	text, indent, err := openList(string(raw))
	if err != nil {
		return nil, err
	}
	changed := []byte(text + suiteLines(suite, hash, indent))
	after, _, err := parseSuites(changed)
	if err == nil && len(after) != len(before)+1 {
		err = errors.New("the list of suites could not be found in it: write suites: with one - per suite below it, at the end of the file")
	}
	if err == nil {
		_, err = tenant.NewTable(after, organizations...)
	}
	return changed, err
}

var emptyList = regexp.MustCompile(`(?m)^suites:[ \t]*(?:\[[ \t]*\]|null|~)?([ \t]*#.*)?[ \t]*$`)

// openList makes the text end inside the list of suites and returns how far its
// items are indented.
func openList(text string) (open, indent string, err error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", "", err
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		return text + "suites:\n", "  ", nil
	}
	fields := document.Content[0].Content
	if len(fields) < 2 {
		return "", "", errors.New("it is {}: write suites: instead")
	}
	if fields[len(fields)-2].Value != "suites" {
		return "", "", errors.New("suites is not the last field of it: move it to the end")
	}
	if list := fields[len(fields)-1]; list.Kind == yaml.SequenceNode && len(list.Content) > 0 {
		if list.Style&yaml.FlowStyle != 0 {
			return "", "", errors.New("suites is written in [...]: write one - per suite instead")
		}
		return text, strings.Repeat(" ", list.Column-1), nil
	}
	return emptyList.ReplaceAllString(text, "suites:$1"), "  ", nil
}

func suiteLines(suite NewSuite, hash tenant.Hash, indent string) string {
	branch, _ := yaml.Marshal(suite.DefaultBranch)
	lines := []string{
		"- organization: " + suite.Organization,
		"  suite: " + suite.Suite,
		"  default_branch: " + strings.TrimSpace(string(branch)),
		"  tokens:",
		"    - name: ci",
		"      hash: " + hash.String(),
		"      scopes: [" + strings.Join(suite.Scopes, ", ") + "]",
	}
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}

func freshToken() (string, error) {
	var random [tenant.TokenBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return tenant.NewToken(random), nil
}

// replaceFile writes a file so that a reader, or a crash, finds the old or the
// new one and never half of it. An existing file keeps its mode.
func replaceFile(name string, content []byte, mode fs.FileMode) error {
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
