// Package avro writes and reads the records of our topics: Avro in Confluent's
// framing, by hand for the current version of each schema and by the schema
// resolution of a library for every other.
package avro

import (
	"embed"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Record is one of the records that topics hold.
type Record int

// The records. Their numbers are part of built-in schema ids: only append.
const (
	RecordUpload Record = iota
	RecordBlock
	RecordVerdict
	RecordRun
	RecordUploadReport
)

const recordCount = 5

// names are those of files and of subjects, fullNames those inside the schemas.
var (
	names     = [recordCount]string{"upload", "block", "verdict", "run", "upload_report"}
	fullNames = [recordCount]string{"testengine.Upload", "testengine.Block", "testengine.Verdict", "testengine.Run", "testengine.UploadReport"}
)

// Records lists all records.
func Records() []Record {
	all := make([]Record, recordCount)
	for i := range all {
		all[i] = Record(i)
	}
	return all
}

// String is the record's name in files and subjects.
func (r Record) String() string { return names[r] }

// RecordOf names the record that a kind is written as.
func RecordOf(kind testengine.Kind) (Record, bool) {
	switch kind {
	case testengine.KindUpload, testengine.KindDuplicate, testengine.KindChange, testengine.KindTick:
		return RecordUpload, true
	case testengine.KindBlock:
		return RecordBlock, true
	case testengine.KindVerdict:
		return RecordVerdict, true
	case testengine.KindRun:
		return RecordRun, true
	case testengine.KindUploadReport:
		return RecordUploadReport, true
	default:
		return 0, false
	}
}

// released has one folder for each version that was ever released. A folder
// never changes. What is not in the newest one is unchanged since the one
// before it.
//
// To change a schema: copy its newest file to a new folder, add fields with
// defaults or drop some, raise newestVersion, follow in the append and read
// functions, run the tests with -update once (they leave a sample of the new
// version), add its layout to the table of schemas_test.go, and run make docs,
// which writes config/schemas.
//
//go:embed schemas
var released embed.FS

// newestVersion is the number of the newest folder.
const newestVersion = 1

// Version is one released schema of a record.
type Version struct {
	Record Record
	Number int
	// Text is the schema's JSON.
	Text string
}

// ID is the built-in schema id: 0x7e57, the record's number from 1, the
// version. A registry counts from 1 and does not get there.
func (v Version) ID() uint32 {
	return 0x7e570000 | uint32(v.Record+1)<<8 | uint32(v.Number)
}

// Versions lists every released schema of a record, oldest first; the last is
// the one that is written.
func (r Record) Versions() []Version {
	var all []Version
	for number := 1; number <= newestVersion; number++ {
		text, err := released.ReadFile(fmt.Sprintf("schemas/v%d/%s.avsc", number, r))
		if err == nil {
			all = append(all, Version{Record: r, Number: number, Text: string(text)})
		}
	}
	return all
}

// Current is the schema that is written.
func (r Record) Current() Version {
	all := r.Versions()
	return all[len(all)-1]
}
