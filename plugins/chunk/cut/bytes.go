package cut

// Bytes cuts a payload into pieces of at most limit bytes, which alias it. An
// empty payload is one empty piece.
func Bytes(body []byte, limit int) [][]byte {
	pieces := make([][]byte, 0, len(body)/limit+1)
	for len(body) > limit {
		pieces = append(pieces, body[:limit:limit])
		body = body[limit:]
	}
	return append(pieces, body)
}
