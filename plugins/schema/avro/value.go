package avro

import (
	"errors"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var errNoUpload = errors.New("the block has no upload")

// appendValue appends r in the current schema of its record.
func appendValue(to []byte, r *testengine.Record) ([]byte, error) {
	switch r.Kind {
	case testengine.KindUpload, testengine.KindDuplicate, testengine.KindChange, testengine.KindTick:
		return appendUpload(to, r), nil
	case testengine.KindBlock:
		if v, ok := r.Value.(*testengine.Block); ok {
			if v.Upload == nil {
				return to, errNoUpload
			}
			return appendBlock(to, v), nil
		}
	case testengine.KindVerdict:
		if v, ok := r.Value.(*testengine.Verdict); ok {
			return appendVerdict(to, v), nil
		}
	case testengine.KindRun:
		if v, ok := r.Value.(*testengine.Run); ok {
			return appendRun(to, v), nil
		}
	case testengine.KindUploadReport:
		if v, ok := r.Value.(*testengine.UploadReport); ok {
			return appendReport(to, v), nil
		}
	default:
		return to, fmt.Errorf("no record is of kind %q", r.Kind)
	}
	return to, fmt.Errorf("its value is a %T", r.Value)
}

// readValue reads data, which is in the current schema of the record, into an empty r.
func readValue(record Record, data []byte, r *testengine.Record) error {
	switch record {
	case RecordUpload:
		return readUpload(data, r)
	case RecordBlock:
		return into(r, testengine.KindBlock, data, readBlock, func(v *testengine.Block) (string, string) { return v.Upload.Org, v.Upload.Suite })
	case RecordVerdict:
		return into(r, testengine.KindVerdict, data, readVerdict, func(v *testengine.Verdict) (string, string) { return v.Org, v.Suite })
	case RecordRun:
		return into(r, testengine.KindRun, data, readRun, func(v *testengine.Run) (string, string) { return v.Org, v.Suite })
	case RecordUploadReport:
		return into(r, testengine.KindUploadReport, data, readReport, func(v *testengine.UploadReport) (string, string) { return v.Org, v.Suite })
	}
	return fmt.Errorf("there is no record %d", record)
}

func into[T any](r *testengine.Record, kind testengine.Kind, data []byte, read func([]byte) (*T, error), key func(*T) (org, suite string)) error {
	v, err := read(data)
	if err != nil {
		return err
	}
	r.Kind, r.Value = kind, v
	r.Org, r.Suite = key(v)
	return nil
}
