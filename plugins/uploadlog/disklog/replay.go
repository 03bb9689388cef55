package disklog

// Replay reads a log in the order in which it was written, over all lanes.
type Replay struct {
	log   *Log
	from  int64
	until int64
	ahead [][]Record
	limit Limit
}

// NewReplay begins at from and ends before until, or at the log's end when until is 0.
func NewReplay(l *Log, from, until int64) *Replay {
	if end := l.End(); until <= 0 || until > end {
		until = end
	}
	return &Replay{log: l, from: from, until: until, ahead: make([][]Record, l.head.Lanes), limit: Limit{Entries: 64, Bytes: 4 << 20}}
}

// Next returns the next records; none at the end.
func (r *Replay) Next(limit Limit) ([]Record, error) {
	var records []Record
	var bytes int64
	for len(records) == 0 || len(records) < limit.Entries && bytes < limit.Bytes {
		record, err := r.take()
		if err != nil {
			return nil, err
		}
		if record == nil {
			break
		}
		records = append(records, *record)
		bytes += record.size()
	}
	return records, nil
}

func (r *Replay) take() (*Record, error) {
	oldest := -1
	for lane := range r.ahead {
		if len(r.ahead[lane]) == 0 && !r.log.AtEnd(lane, r.from) {
			records, err := r.log.Read(lane, r.from, r.limit)
			if err != nil {
				return nil, err
			}
			r.ahead[lane] = records
		}
		if len(r.ahead[lane]) > 0 && (oldest < 0 || r.ahead[lane][0].Number < r.ahead[oldest][0].Number) {
			oldest = lane
		}
	}
	if oldest < 0 || r.ahead[oldest][0].Number >= r.until {
		return nil, nil //nolint:nilnil // No record is the end.
	}
	record := &r.ahead[oldest][0]
	r.ahead[oldest] = r.ahead[oldest][1:]
	r.from = record.Number + 1
	return record, nil
}
