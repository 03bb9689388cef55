package testengine

import (
	"encoding/json"
	"strings"
)

// Mark works out what stores and detection ask of an execution's texts, while
// these are in the processor's caches: whoever comes later waits for memory at
// each of them. Whoever makes or reads an execution calls it last; without it the
// same is worked out at each question.
func (e *Execution) Mark() { e.placeHash, e.fileBits = marksOf(e) }

// MarkFile is Mark for those who store no places: detection asks for the file alone.
func (e *Execution) MarkFile() { e.fileBits = fileBits(e.File, Hash(2, e.File)) }

// PlaceHash is a hash of location and file.
func (e *Execution) PlaceHash() uint64 {
	if e.placeHash != 0 {
		return e.placeHash
	}
	place, _ := marksOf(e)
	return place
}

// FileBits are 16 bits of the file, 0 without one. Of absolute paths only the
// last part counts: they differ from host to host.
func (e *Execution) FileBits() uint16 {
	if e.fileBits != 0 {
		return e.fileBits
	}
	return fileBits(e.File, Hash(2, e.File))
}

func marksOf(e *Execution) (place uint64, bits uint16) {
	hash := Hash(2, e.File) // The two hashes do not wait for each other.
	return HashUint(Hash(1, e.Location), hash), fileBits(e.File, hash)
}

func fileBits(file string, hash uint64) uint16 {
	if file == "" {
		return 0
	}
	if file[0] == '/' || file[0] == '\\' || len(file) > 2 && file[1] == ':' {
		hash = Hash(2, file[strings.LastIndexAny(file, `/\`)+1:])
	}
	return uint16(hash) | 1
}

// UnmarshalJSON reads a block and marks its executions, as those were that it was written from.
func (b *Block) UnmarshalJSON(data []byte) error {
	type plain Block
	if err := json.Unmarshal(data, (*plain)(b)); err != nil {
		return err
	}
	for i := range b.Executions {
		b.Executions[i].Mark()
	}
	return nil
}
