package message

import (
	"encoding/base32"

	"github.com/zeebo/xxh3"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// UploadID names a delivery by its content: the same body for the same suite is
// the same upload, whichever door it came through and however often. It is the
// key by which duplicates are dropped. It is XXH3-128, which costs 1/50 of
// SHA-256 on bodies of megabytes; whoever holds a suite's token and finds a
// collision drops an upload of his own suite, no other.
func UploadID(org, suite string, body []byte) string {
	sum := xxh3.Hash128Seed(body, testengine.SuiteSeed(org, suite)).Bytes()
	return "up_" + idEncoding.EncodeToString(sum[:])
}
