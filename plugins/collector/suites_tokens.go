package collector

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// NewSuiteToken is what AddToken writes.
type NewSuiteToken struct {
	Organization, Suite string
	// Name tells the token from the suite's others.
	Name   string
	Scopes []string
	// Expires is the first moment at which it is refused; zero is never.
	Expires time.Time
}

// AddToken gives a suite of the file one more token and returns it; it is stored
// nowhere. The others stay valid, so a token is replaced without a gap: add one,
// give it to CI, remove the old one. A token that has expired at now is refused.
func AddToken(file string, add NewSuiteToken, now time.Time) (token string, err error) {
	if !add.Expires.IsZero() && !now.Before(add.Expires) {
		return "", fmt.Errorf("adding a token: it would have expired on %s already", add.Expires.Format(time.RFC3339))
	}
	if token, err = freshToken(); err != nil {
		return "", err
	}
	err = editSuite(file, add.Organization, add.Suite, func(lines []string, suite *yaml.Node) ([]string, error) {
		if _, found := tokenNamed(suite, add.Name); found {
			return nil, fmt.Errorf("it has a token %q already: choose another name, or remove it first", add.Name)
		}
		at, indent, list := tokenPlace(suite)
		return slices.Insert(lines, at, tokenLines(add, tenant.HashToken(token), indent, list)...), nil
	})
	return token, err
}

// RemoveToken takes a token away from a suite of the file.
func RemoveToken(file, organization, suite, name string) error {
	return editSuite(file, organization, suite, func(lines []string, node *yaml.Node) ([]string, error) {
		token, found := tokenNamed(node, name)
		if !found {
			return nil, fmt.Errorf("it has no token %q", name)
		}
		if field(node, "tokens").Style&yaml.FlowStyle != 0 || token.Style&yaml.FlowStyle != 0 && token.Line != lastLine(token) {
			return nil, errors.New("its tokens are written in [...]: write one - per token instead")
		}
		return slices.Delete(lines, token.Line-1, lastLine(token)), nil
	})
}

// editSuite changes the lines of a suites file, so that what people wrote stays
// as they wrote it, and reads the result back before anybody else does.
func editSuite(file, organization, name string, edit func(lines []string, suite *yaml.Node) ([]string, error)) error {
	failed := func(err error) error {
		return fmt.Errorf("changing suite %s/%s in %s: %w", organization, name, file, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return failed(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return failed(err)
	}
	suite := suiteNode(&document, organization, name)
	if suite == nil {
		return failed(errors.New("it is not there: connect-testengine suite add makes it"))
	}
	lines, err := edit(strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n"), suite)
	if err != nil {
		return failed(err)
	}
	changed := []byte(strings.Join(lines, "\n") + "\n")
	suites, organizations, err := parseSuites(changed)
	if err == nil {
		_, err = tenant.NewTable(suites, organizations...)
	}
	if err == nil {
		err = replaceFile(file, changed, 0o644)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

func suiteNode(document *yaml.Node, organization, name string) *yaml.Node {
	if len(document.Content) == 0 {
		return nil
	}
	list := field(document.Content[0], "suites")
	if list == nil {
		return nil
	}
	for _, suite := range list.Content {
		org, own := field(suite, "organization"), field(suite, "suite")
		if org != nil && own != nil && org.Value == organization && own.Value == name {
			return suite
		}
	}
	return nil
}

func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func tokenNamed(suite *yaml.Node, name string) (*yaml.Node, bool) {
	tokens := field(suite, "tokens")
	if tokens == nil {
		return nil, false
	}
	for _, token := range tokens.Content {
		if own := field(token, "name"); own != nil && own.Value == name {
			return token, true
		}
	}
	return nil, false
}

// tokenPlace is behind which line a new token goes, how far it is indented, and
// whether there is a list to join.
func tokenPlace(suite *yaml.Node) (line int, indent string, list bool) {
	if tokens := field(suite, "tokens"); tokens != nil && len(tokens.Content) > 0 && tokens.Style&yaml.FlowStyle == 0 {
		return lastLine(tokens), strings.Repeat(" ", tokens.Column-1), true
	}
	return field(suite, "suite").Line, strings.Repeat(" ", suite.Column-1), false
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, inner := range n.Content {
		last = max(last, lastLine(inner))
	}
	return last
}

func tokenLines(add NewSuiteToken, hash tenant.Hash, indent string, list bool) (lines []string) {
	if !list {
		lines = append(lines, indent+"tokens:")
		indent += "  "
	}
	name, _ := yaml.Marshal(add.Name)
	lines = append(lines,
		indent+"- name: "+strings.TrimSpace(string(name)),
		indent+"  hash: "+hash.String(),
		indent+"  scopes: ["+strings.Join(add.Scopes, ", ")+"]")
	if !add.Expires.IsZero() {
		lines = append(lines, indent+"  expires: "+add.Expires.UTC().Format(time.RFC3339))
	}
	return lines
}

// TokenInfo is a token as it is listed.
type TokenInfo struct {
	Suite, Name string
	Scopes      []string
	Expires     time.Time
	// LastUsed is zero when it was never used, or not at this front door.
	LastUsed time.Time
}

// ListTokens reads the tokens of a suites file, with what the front door that
// has its memory in data has seen of them.
func ListTokens(file, data string) (list []TokenInfo, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	suites, _, err := parseSuites(raw)
	if err != nil {
		return nil, fmt.Errorf("listing tokens of %s: %w", file, err)
	}
	remembered, err := recall(data)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	for i := range suites {
		for _, token := range suites[i].Tokens {
			key := tokenKey{suites[i].Organization, suites[i].Name, token.Name}
			list = append(list, TokenInfo{
				Suite: key.organization + "/" + key.suite, Name: token.Name, Scopes: token.Scopes, Expires: token.Expires,
				LastUsed: remembered.TokenUses[key.String()],
			})
		}
	}
	return list, nil
}
