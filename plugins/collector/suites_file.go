package collector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// parseSuites reads suites.yaml. Every error names the line and the field, and
// a field nobody knows is an error: a misspelt "expires" must not make a token
// live for ever.
func parseSuites(raw []byte) (suites []tenant.Suite, organizations []tenant.Organization, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, nil, fmt.Errorf("reading YAML: %w", err)
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		return nil, nil, nil
	}
	err = eachField(document.Content[0], "the file", fieldReaders{
		"suites": func(n *yaml.Node) error {
			return eachItem(n, "suites", func(item *yaml.Node) error {
				suite, err := parseSuite(item)
				suites = append(suites, suite)
				return err
			})
		},
		"organizations": func(n *yaml.Node) error {
			return eachItem(n, "organizations", func(item *yaml.Node) error {
				organization, err := parseOrganization(item)
				organizations = append(organizations, organization)
				return err
			})
		},
	})
	return suites, organizations, err
}

func parseSuite(n *yaml.Node) (tenant.Suite, error) {
	suite := tenant.Suite{DefaultBranch: "main"}
	err := eachField(n, "a suite", fieldReaders{
		"organization":   textInto(&suite.Organization, "organization"),
		"suite":          textInto(&suite.Name, "suite"),
		"default_branch": textInto(&suite.DefaultBranch, "default_branch"),
		"public":         flagInto(&suite.Public, "public"),
		"anonymous":      flagInto(&suite.Anonymous, "anonymous"),
		"oidc": func(n *yaml.Node) error {
			return eachItem(n, "oidc", func(item *yaml.Node) error {
				policy, err := parsePolicy(item)
				suite.OIDC = append(suite.OIDC, policy)
				return err
			})
		},
		"tokens": func(n *yaml.Node) error {
			return eachItem(n, "tokens", func(item *yaml.Node) error {
				token, err := parseToken(item)
				suite.Tokens = append(suite.Tokens, token)
				return err
			})
		},
		"limits": func(n *yaml.Node) error {
			return eachField(n, "limits", fieldReaders{
				"body":    bytesInto(&suite.Limits.BodyBytes, "limits.body"),
				"decoded": bytesInto(&suite.Limits.DecodedBytes, "limits.decoded"),
			})
		},
		"detection": func(n *yaml.Node) (err error) {
			suite.Detection, err = sectionJSON(n)
			return err
		},
	})
	if err != nil {
		return suite, err
	}
	if err := checkSlug(n, "organization", suite.Organization); err != nil {
		return suite, err
	}
	return suite, checkSlug(n, "suite", suite.Name)
}

func parseToken(n *yaml.Node) (tenant.Token, error) {
	token := tenant.Token{Scopes: []string{tenant.ScopeWrite}}
	hashed := false
	err := eachField(n, "a token", fieldReaders{
		"name": textInto(&token.Name, "name"),
		"hash": func(n *yaml.Node) (err error) {
			hashed = true
			if token.Hash, err = tenant.ParseHash(n.Value); err != nil {
				return atLine(n, "hash", err.Error())
			}
			return nil
		},
		"scopes": func(n *yaml.Node) error {
			token.Scopes = nil
			return eachItem(n, "scopes", func(item *yaml.Node) error {
				if item.Value != tenant.ScopeRead && item.Value != tenant.ScopeWrite {
					return atLine(item, "scopes", fmt.Sprintf("%q is no scope; write or read", item.Value))
				}
				token.Scopes = append(token.Scopes, item.Value)
				return nil
			})
		},
		"expires": func(n *yaml.Node) (err error) {
			token.Expires, err = ParseMoment(n.Value)
			if err != nil {
				return atLine(n, "expires", fmt.Sprintf("%q is neither a date (2027-01-31) nor RFC 3339", n.Value))
			}
			return nil
		},
	})
	if err == nil && !hashed {
		err = atLine(n, "hash", "a token needs one: sha256: and the 64 digits of its SHA-256")
	}
	return token, err
}

// ParseMoment reads RFC 3339, or a date as its first moment in UTC.
func ParseMoment(text string) (time.Time, error) {
	if moment, err := time.Parse(time.RFC3339, text); err == nil {
		return moment, nil
	}
	return time.Parse(time.DateOnly, text)
}

// checkSlug holds names to what fits into a URL's path and a topic's key.
func checkSlug(n *yaml.Node, field, slug string) error {
	if slug == "" {
		return atLine(n, field, "it must not be empty")
	}
	if !validSlug(slug) {
		return atLine(n, field, fmt.Sprintf("%q must be 1 to 100 letters, digits, dots, dashes or underscores and begin with a letter or digit", slug))
	}
	return nil
}

func validSlug(slug string) bool {
	if slug == "" || len(slug) > 100 {
		return false
	}
	for i, r := range slug {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", r)) {
			return false
		}
	}
	return true
}

// sectionJSON turns a detection section into the body of a change.
func sectionJSON(n *yaml.Node) (testengine.RawJSON, error) {
	if isNull(n) {
		return "", nil
	}
	if n.Kind != yaml.MappingNode {
		return "", atLine(n, "detection", "fields are expected")
	}
	var section map[string]any
	if err := n.Decode(&section); err != nil {
		return "", atLine(n, "detection", err.Error())
	}
	body, err := detect.Section(section)
	if err != nil {
		return "", atLine(n, "detection", err.Error())
	}
	return body, nil
}

type fieldReaders map[string]func(*yaml.Node) error

func eachField(n *yaml.Node, what string, readers fieldReaders) error {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s: fields are expected", n.Line, what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		read, known := readers[key.Value]
		if !known {
			known := make([]string, 0, len(readers))
			for name := range readers {
				known = append(known, name)
			}
			slices.Sort(known)
			return atLine(key, key.Value, what+" has no such field; it has "+strings.Join(known, ", "))
		}
		if seen[key.Value] {
			return atLine(key, key.Value, "it stands there twice")
		}
		seen[key.Value] = true
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func eachItem(n *yaml.Node, field string, read func(*yaml.Node) error) error {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return atLine(n, field, "a list is expected")
	}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if err := read(item); err != nil {
			return err
		}
	}
	return nil
}

func textInto(target *string, field string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || isNull(n) {
			return atLine(n, field, "a text is expected")
		}
		*target = n.Value
		return nil
	}
}

func flagInto(target *bool, field string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := n.Decode(target); err != nil {
			return atLine(n, field, "true or false is expected")
		}
		return nil
	}
}

func bytesInto(target *int64, field string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		size, err := humanize.ParseBytes(n.Value)
		if err != nil || size > 1<<40 {
			return atLine(n, field, fmt.Sprintf("%q is no size such as 32MiB", n.Value))
		}
		if size == 0 {
			return atLine(n, field, "it must be above 0; leave it out for no limit of its own")
		}
		*target = int64(size)
		return nil
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func atLine(n *yaml.Node, field, reason string) error {
	return fmt.Errorf("line %d: %s: %s", n.Line, field, reason)
}
