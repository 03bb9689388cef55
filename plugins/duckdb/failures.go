package duckdb

import "github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"

const (
	failuresTable  = "failures"
	failureColumns = 15
)

func (s *store) writeFailures(failures []rows.Failure) error {
	a, err := newChunkAppender(s.native, failuresTable, failureColumns)
	if err != nil {
		return err
	}
	defer a.close()
	return a.append(len(failures), func(from, to int) { fillFailures(a, failures[from:to]) })
}

func fillFailures(a *chunkAppender, failures []rows.Failure) {
	upload, index, suite, test := column[uint32](a, 0), column[uint32](a, 1), column[uint32](a, 2), column[uint32](a, 3)
	time, result := column[int64](a, 4), column[uint8](a, 5)
	reason, expanded, history, location, external := a.texts(6), a.texts(7), a.texts(8), a.texts(9), a.texts(10)
	full, message := column[uint64](a, 11), column[uint64](a, 12)
	suiteError, retried := column[bool](a, 13), column[bool](a, 14)
	for i := range failures {
		f := &failures[i]
		e := f.Execution
		upload[i], index[i], suite[i], test[i] = f.Upload, f.Index, f.Suite, f.Test
		time[i], result[i] = f.Time, uint8(e.Result)
		reason.set(i, e.FailureReason)
		expanded.setOrNull(i, string(e.FailureExpanded()))
		history.setOrNull(i, string(e.History()))
		location.set(i, e.Location)
		external.setOrNull(i, e.ExternalID())
		full[i], message[i] = f.Signature.Full, f.Signature.Message
		suiteError[i], retried[i] = e.SuiteError, e.RetriedInside()
	}
}
