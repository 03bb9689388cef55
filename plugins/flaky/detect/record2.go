package detect

import "encoding/binary"

// isRecord says whether a value is the record of a test, of whatever rules.
func isRecord(value []byte) bool {
	return len(value) > 0 && (value[0] == kindRecord || value[0] == kindRecord2)
}

// Places in a stored record whose meaning changed with rules 3.
const (
	atCounts   = 44
	atFailures = 45
	atLine     = 47
	atClean    = 51
	atPieceAt  = 72
	atPiece    = 76
)

// renew turns a record as rules 2 wrote it into what it is now. Its log-odds stay:
// they were fitted to mean the same.
func renew(whole *[recordBytes]byte) {
	whole[0] = kindRecord
	whole[atCounts] = min(whole[atCounts]&15, 3) | whole[atCounts]&^15
	atMost := func(at int, most uint16) {
		binary.LittleEndian.PutUint16(whole[at:], min(binary.LittleEndian.Uint16(whole[at:]), most))
	}
	atMost(atFailures, maxFailures)
	atMost(atLine, maxLineFailures)
	atMost(atClean, maxClean)
	old := whole[atPiece]
	if old>>7 == 0 { // there was no episode
		whole[atPieceAt], whole[atPieceAt+1] = 0, 0
	}
	kind := [4]byte{pieceRetry, pieceOther, pieceOutage, pieceOutage}[old&3]
	crowd := [4]byte{crowdNone, crowdOne, crowdTwo, crowdMany}[old>>2&3]
	whole[atPiece] = kind | crowd<<3 | min(old>>4&7, maxAgain)<<6
}
