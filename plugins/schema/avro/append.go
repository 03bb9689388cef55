package avro

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The primitives of Avro's binary encoding (specification 1.12, "Binary
// encoding"): int and long are zigzag varints, text and bytes carry their
// length, arrays and maps come in counted blocks and end with an empty one.

func appendLong(to []byte, v int64) []byte {
	if uint64(v) < 1<<6 {
		return append(to, byte(v<<1))
	}
	return binary.AppendVarint(to, v)
}

func appendInt(to []byte, v int) []byte { return appendLong(to, int64(v)) }

func appendText(to []byte, s string) []byte {
	return append(appendLong(to, int64(len(s))), s...)
}

func appendBytes(to, b []byte) []byte {
	return append(appendLong(to, int64(len(b))), b...)
}

func appendBool(to []byte, v bool) []byte {
	if v {
		return append(to, 1)
	}
	return append(to, 0)
}

func appendDouble(to []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(to, math.Float64bits(v))
}

func appendIdentity(to []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(to, id) }

// appendChoice writes the branch of a union with null in front.
func appendChoice(to []byte, present bool) []byte {
	if present {
		return append(to, 2)
	}
	return append(to, 0)
}

// appendCount begins an array or a map of n items; it has ended when n is 0.
func appendCount(to []byte, n int) []byte { return appendInt(to, n) }

// appendEnd ends an array or a map of n items.
func appendEnd(to []byte, n int) []byte {
	if n == 0 {
		return to
	}
	return append(to, 0)
}

func appendTexts(to []byte, texts []string) []byte {
	to = appendCount(to, len(texts))
	for _, text := range texts {
		to = appendText(to, text)
	}
	return appendEnd(to, len(texts))
}

func appendTags(to []byte, tags []testengine.Tag) []byte {
	to = appendCount(to, len(tags))
	for i := range tags {
		to = appendText(to, tags[i].Key)
		to = appendText(to, tags[i].Value)
	}
	return appendEnd(to, len(tags))
}

// appendMap writes a map in order of its keys, so that equal values are equal bytes.
func appendMap[V any](to []byte, values map[string]V, item func([]byte, V) []byte) []byte {
	to = appendCount(to, len(values))
	for _, key := range sortedKeys(values) {
		to = appendText(to, key)
		to = item(to, values[key])
	}
	return appendEnd(to, len(values))
}

func sortedKeys[K int | string, V any](values map[K]V) []K {
	keys := make([]K, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
