package answer

import (
	"encoding/binary"
	"strconv"
)

// RejectedSpans is the field of the answer to traces that counts what was rejected.
const RejectedSpans = "rejectedSpans"

// AppendExported writes the answer to an OTLP request, in protobuf or in JSON: with
// a partial success when records were rejected, which a client must not send again,
// or when there is something to say (why) of what was taken. In JSON their number
// is in that field; protobuf is the same for every signal.
func AppendExported(b []byte, asJSON bool, field string, rejected int, why string) []byte {
	switch said := rejected > 0 || why != ""; {
	case said && asJSON:
		b = appendText(append(b, `{"partialSuccess":{`...), field)
		b = strconv.AppendInt(append(b, ':', '"'), int64(rejected), 10)
		b = appendField(append(b, '"', ','), "errorMessage", why)
		return append(b, '}', '}', '\n')
	case asJSON:
		return append(b, "{}\n"...)
	case !said:
		return b
	}
	partial := binary.AppendUvarint([]byte{1 << 3}, uint64(rejected))
	return appendBytes(b, 1, string(appendBytes(partial, 2, why)))
}

// AppendStatus writes what is wrong as a google.rpc.Status, in protobuf or in JSON.
func AppendStatus(b []byte, asJSON bool, message string) []byte {
	if asJSON {
		return AppendMessage(b, message)
	}
	return appendBytes(b, 2, message)
}

// appendBytes writes a field of bytes in protobuf.
func appendBytes(b []byte, number byte, text string) []byte {
	b = binary.AppendUvarint(append(b, number<<3|2), uint64(len(text)))
	return append(b, text...)
}
