package testengine

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unsafe"
)

// The constants of Hash. They are part of every stored identity: never change them.
const (
	hashA = 0xa0761d6478bd642f
	hashB = 0xe7037ed1a0b428db
	hashC = 0x8ebc6af09c88c6e3
)

// Hash mixes s into seed and returns 64 bits that are stable over processes,
// machines and versions. It multiplies 16 bytes at a time (the folded-multiply
// construction of wyhash): about 5 ns for the name of a test. It resists
// chance, not an attacker.
func Hash(seed uint64, s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s)) // A read-only view of the bytes.
	h := seed ^ hashA
	n := uint64(len(b))
	for len(b) > 16 {
		h = fold(binary.LittleEndian.Uint64(b)^hashB, binary.LittleEndian.Uint64(b[8:])^h)
		b = b[16:]
	}
	var x, y uint64
	switch {
	case len(b) >= 8:
		x = binary.LittleEndian.Uint64(b)
		y = binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x = uint64(binary.LittleEndian.Uint32(b))
		y = uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)>>1])<<8 | uint64(b[len(b)-1])
	}
	return fold(hashC^n, fold(x^hashB, y^h))
}

// HashUint mixes a number into seed.
func HashUint(seed, v uint64) uint64 { return fold(hashC^8, fold(v^hashB, v^seed^hashA)) }

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// SuiteSeed is the seed under which everything of a suite is hashed.
func SuiteSeed(org, suite string) uint64 { return Hash(Hash(0, org), suite) }

// TestID names a managed test: suite + scope + name, never the file
// (Buildkite's glossary). Scope and name are hashed as sent, untrimmed.
func TestID(suiteSeed uint64, scope, name string) uint64 {
	return TestIDIn(ScopeSeed(suiteSeed, scope), name)
}

// ScopeSeed is the seed under which the names of a scope are hashed.
func ScopeSeed(suiteSeed uint64, scope string) uint64 { return Hash(suiteSeed, scope) }

// TestIDIn is TestID for one of many tests of a scope.
func TestIDIn(scopeSeed uint64, name string) uint64 { return Hash(scopeSeed, name) }

// FormatID writes an identity as 16 hexadecimal digits.
func FormatID(id uint64) string {
	s := strconv.FormatUint(id, 16)
	return "0000000000000000"[len(s):] + s
}

// ParseID reads what FormatID wrote.
func ParseID(s string) (uint64, error) { return strconv.ParseUint(s, 16, 64) }
