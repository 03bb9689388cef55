package answer

import (
	"encoding/binary"
	"strconv"
)

// AppendTraces writes an ExportTraceServiceResponse, in protobuf or in JSON: with
// a partial success when spans were rejected, which a client must not send again,
// or when there is something to say (why) of spans that were taken.
func AppendTraces(b []byte, asJSON bool, rejected int, why string) []byte {
	switch said := rejected > 0 || why != ""; {
	case said && asJSON:
		b = append(b, `{"partialSuccess":{"rejectedSpans":"`...)
		b = strconv.AppendInt(b, int64(rejected), 10)
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
