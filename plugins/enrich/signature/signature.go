// Package signature groups failures of one cause: a failure's signature is a
// hash of its exception class and first line, without what differs from one
// failure to the next (times, ids, numbers, quoted text), and, for the full
// signature, of the first two frames of its own code.
//
// The message alone must not join tests outside one run: "expected [n] but
// found [n]" is what many tests say.
package signature

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// Version is raised whenever the same failure gets another signature. It is part of a detector's logic.
const Version = 1

const (
	maxLine   = 1024 // bytes of the first line that are looked at
	maxFrame  = 512
	ownFrames = 2
)

// Of returns the signature of a failed execution: of its failure reason and of
// the raw JSON of failure_expanded. It is zero when neither says anything, so
// that failures without a reason are never taken for one cause.
func Of(reason string, expanded testengine.RawJSON) testengine.Signature {
	var room [maxLine]byte
	line := firstLine(reason)
	frames := newFrameReader(string(expanded))
	if line == "" {
		line = frames.firstText()
	}
	text := appendNormal(room[:0], line)
	full := uint64(0)
	for range ownFrames {
		frame, ok := frames.next()
		if !ok {
			break
		}
		full = testengine.Hash(full+1, string(appendNormal(room[len(text):len(text)], frame)))
	}
	if len(text) == 0 && full == 0 {
		return testengine.Signature{}
	}
	message := testengine.Hash(Version, string(text))
	return testengine.Signature{Message: message, Full: testengine.HashUint(message, full)}
}
