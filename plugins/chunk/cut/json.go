package cut

// JSON cuts a document between the elements of the array under path (keys of
// objects, none for a document that is an array), into chunks of at most limit
// bytes. It looks at structure only as far as it must to find elements: strings
// and brackets. Whoever needs the document valid checks it before.
func JSON(body []byte, path []string, limit int) ([]Chunk, error) {
	w := walker{b: body}
	begin, err := w.find(path)
	if err != nil {
		return nil, err
	}
	var records []span
	i := w.space(begin)
	for w.at(i) != ']' {
		end := w.skip(i)
		if end < 0 {
			return nil, w.err
		}
		records = append(records, span{begin: i, end: end})
		if i = w.space(end); w.at(i) == ',' {
			i = w.space(i + 1)
		} else if w.at(i) != ']' {
			return nil, w.fail(i, "a comma or ] is expected")
		}
	}
	if err := w.closing(i+1, len(path)); err != nil {
		return nil, err
	}
	return plan(body, records, limit, [][]byte{body[:begin]}, [][]byte{body[i:]})
}

// NDJSON cuts between lines. Empty lines are no records.
func NDJSON(body []byte, limit int) ([]Chunk, error) {
	var records []span
	for begin := 0; begin < len(body); {
		end := lineEnd(body, begin)
		if !blank(body[begin:end]) {
			records = append(records, span{begin: begin, end: end})
		}
		begin = end
	}
	return plan(body, records, limit, nil, nil)
}

// span is where a record stands in the body.
type span struct{ begin, end int }

// plan fills chunks with records, as many as the limit allows.
func plan(body []byte, records []span, limit int, before, after [][]byte) ([]Chunk, error) {
	room := limit - length(before) - length(after)
	var chunks []Chunk
	for first := 0; first < len(records); {
		begin, next := records[first].begin, first
		for next < len(records) && records[next].end-begin <= room {
			next++
		}
		if next == first {
			return nil, ErrNoRecords
		}
		chunks = append(chunks, Chunk{
			Before: before, After: after, First: first, Count: next - first,
			Records: body[begin:records[next-1].end],
		})
		first = next
	}
	if len(chunks) == 0 {
		return nil, ErrNoRecords
	}
	return chunks, nil
}
