package collector

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// Weights beyond these say no more than "always" and "never", which no share is meant to.
const leastWeight, mostWeight = 0.001, 1000

// parseOrganization reads an entry of organizations.
func parseOrganization(n *yaml.Node) (tenant.Organization, error) {
	organization := tenant.Organization{Weight: 1}
	err := eachField(n, "an organization", fieldReaders{
		"organization": textInto(&organization.Name, "organization"),
		"weight": func(n *yaml.Node) error {
			if err := n.Decode(&organization.Weight); err != nil || !(organization.Weight >= leastWeight && organization.Weight <= mostWeight) {
				return atLine(n, "weight", "a number from 0.001 to 1000 is expected")
			}
			return nil
		},
		"quota": func(n *yaml.Node) error {
			return eachField(n, "quota", fieldReaders{
				"uploads_per_minute": countInto(&organization.UploadsPerMinute, "quota.uploads_per_minute"),
				"bytes_per_minute":   bytesInto(&organization.BytesPerMinute, "quota.bytes_per_minute"),
			})
		},
	})
	if err != nil {
		return organization, err
	}
	return organization, checkSlug(n, "organization", organization.Name)
}

func countInto(target *int64, field string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := n.Decode(target); err != nil || *target <= 0 {
			return atLine(n, field, "a whole number above 0 is expected; leave it out for no limit")
		}
		return nil
	}
}

// parsePolicy reads an entry of oidc.
func parsePolicy(n *yaml.Node) (tenant.Policy, error) {
	policy := tenant.Policy{Scopes: []string{tenant.ScopeWrite}, Claims: map[string][]string{}}
	err := eachField(n, "a policy", fieldReaders{
		"iss": textInto(&policy.Issuer, "iss"),
		"claims": func(n *yaml.Node) error {
			if n.Kind != yaml.MappingNode {
				return atLine(n, "claims", "fields are expected")
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				values, err := parseClaim(n.Content[i+1], n.Content[i].Value)
				if err != nil {
					return err
				}
				policy.Claims[n.Content[i].Value] = values
			}
			return nil
		},
		"scopes": func(n *yaml.Node) error {
			policy.Scopes = nil
			return eachItem(n, "scopes", func(item *yaml.Node) error {
				scope, known := policyScopes[item.Value]
				if !known {
					return atLine(item, "scopes", fmt.Sprintf("%q is no scope; write_uploads, read_suites, read_test_plan or write_test_plan", item.Value))
				}
				if scope != "" {
					policy.Scopes = append(policy.Scopes, scope)
				}
				return nil
			})
		},
	})
	if err == nil && !strings.HasPrefix(policy.Issuer, "https://") && !strings.HasPrefix(policy.Issuer, "http://127.0.0.1:") {
		err = atLine(n, "iss", "a policy needs the issuer's https address")
	}
	if err == nil && len(policy.Claims) == 0 {
		err = atLine(n, "claims", "a policy without claims lets everybody in who has an account at the issuer: name at least one")
	}
	return policy, err
}

// policyScopes are Buildkite's words for scopes, and ours. A policy written for
// Buildkite is taken as it is: the scopes of test plans give no right here.
var policyScopes = map[string]string{
	"write_uploads": tenant.ScopeWrite, "read_suites": tenant.ScopeRead, tenant.ScopeWrite: tenant.ScopeWrite, tenant.ScopeRead: tenant.ScopeRead,
	"read_test_plan": "", "write_test_plan": "",
}

// parseClaim reads a value, or {in: [values]}.
func parseClaim(n *yaml.Node, claim string) (values []string, err error) {
	field := "claims." + claim
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return []string{n.Value}, nil
	}
	err = eachField(n, field, fieldReaders{"in": func(n *yaml.Node) error {
		return eachItem(n, field+".in", func(item *yaml.Node) error {
			values = append(values, item.Value)
			return nil
		})
	}})
	if err == nil && len(values) == 0 {
		err = atLine(n, field, "a text or {in: [texts]} is expected")
	}
	return values, err
}
