package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// TokenBytes is how much randomness NewToken wants: 32 letters of five bits.
const TokenBytes = 20

const (
	tokenPrefix = "te_"
	hashPrefix  = "sha256:"
	letters     = "0123456789abcdefghjkmnpqrstvwxyz"
)

// Hash is the SHA-256 of a token. Tokens are 160 random bits, so a plain hash
// cannot be turned back.
type Hash [sha256.Size]byte

// NewToken writes random bytes as a token: te_ and 32 letters.
func NewToken(random [TokenBytes]byte) string {
	token := make([]byte, 0, len(tokenPrefix)+32)
	token = append(token, tokenPrefix...)
	for i := 0; i < TokenBytes; i += 5 {
		b := random[i : i+5]
		group := uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])
		for shift := 35; shift >= 0; shift -= 5 {
			token = append(token, letters[group>>shift&31])
		}
	}
	return string(token)
}

// HashToken is what is stored of a token.
func HashToken(token string) Hash { return sha256.Sum256([]byte(token)) }

// String writes the hash as it stands in suites.yaml.
func (h Hash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(s string) (h Hash, err error) {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	if !ok {
		return h, fmt.Errorf("reading a token's hash: %q does not start with %s", clip(s), hashPrefix)
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("reading a token's hash: %q is not %s and 64 hexadecimal digits", clip(s), hashPrefix)
	}
	return Hash(raw), nil
}

// clip shortens what somebody wrote where a hash belongs: it may be a token.
func clip(s string) string {
	if len(s) > 12 {
		return s[:12] + "..."
	}
	return s
}
