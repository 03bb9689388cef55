package tenant

import "strings"

// ParseAuthorization reads a token out of an Authorization header in the four
// spellings that clients use:
//
//	Token token="abc"    most collectors
//	Token token=abc      bktec
//	Token abc            .NET
//	Bearer abc           ownership uploads, OTLP, REST
func ParseAuthorization(header string) (token string, ok bool) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(header), " ")
	if !found {
		return "", false
	}
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Token"):
		if value, named := cutPrefixFold(rest, "token="); named {
			rest = strings.TrimSpace(value)
		}
		if len(rest) >= 2 && rest[0] == '"' && rest[len(rest)-1] == '"' {
			rest = rest[1 : len(rest)-1]
		}
	default:
		return "", false
	}
	return rest, rest != ""
}

func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
