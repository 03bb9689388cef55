package cut

import "slices"

// JUnit cuts a report between test cases. Around each chunk stand the beginning
// of the file and the suites that are open there, with their properties, so that
// every case keeps what it has from its suite.
func JUnit(body []byte, limit int) ([]Chunk, error) {
	x := xmlWalker{b: body}
	p := xmlPlanner{walker: &x, limit: limit}
	for {
		tag, err := x.next()
		if err != nil {
			return nil, err
		}
		if tag.kind == tagNone {
			break
		}
		if err := p.take(tag); err != nil {
			return nil, err
		}
	}
	if len(p.open) > 0 {
		return nil, &SyntaxError{Offset: len(body), Reason: "an element is not closed"}
	}
	return p.finish()
}

// An element is open around the place where the planner stands.
type element struct {
	name []byte
	// parts are its opening tag and, once they have passed, its properties.
	parts [][]byte
}

// xmlPlanner gathers test cases into chunks below the limit.
type xmlPlanner struct {
	walker *xmlWalker
	limit  int
	open   []element
	chunks []Chunk
	// begun says that a chunk is open, of which at least one case is inside.
	begun  bool
	chunk  Chunk
	begin  int
	end    int // behind the last case of the chunk
	after  [][]byte
	count  int
	inside int // where the case or the properties that are being passed begin
	depth  int // how many elements are open in them
}

func (p *xmlPlanner) take(tag xmlTag) error {
	if p.depth > 0 {
		return p.pass(tag)
	}
	switch {
	case tag.kind == tagClose:
		if len(p.open) == 0 {
			return &SyntaxError{Offset: tag.begin, Reason: "an element is closed that is not open"}
		}
		p.open = p.open[:len(p.open)-1]
	case string(tag.name) == "testcase" || string(tag.name) == "properties" && len(p.open) > 0:
		p.inside = tag.begin
		if tag.kind == tagEmpty {
			return p.passed(tag)
		}
		p.depth = 1
	case tag.kind == tagOpen:
		p.open = append(p.open, element{name: tag.name, parts: [][]byte{p.walker.b[tag.begin:tag.end]}})
	}
	return nil
}

// pass goes through a case or properties.
func (p *xmlPlanner) pass(tag xmlTag) error {
	switch tag.kind {
	case tagOpen:
		p.depth++
	case tagClose:
		if p.depth--; p.depth == 0 {
			return p.passed(tag)
		}
	case tagNone, tagEmpty:
	}
	return nil
}

// passed stands behind a case or properties.
func (p *xmlPlanner) passed(tag xmlTag) error {
	if string(tag.name) == "properties" {
		last := &p.open[len(p.open)-1]
		last.parts = append(last.parts, p.walker.b[p.inside:tag.end])
		return nil
	}
	after := p.closing()
	if p.begun && length(p.chunk.Before)+tag.end-p.begin+length(after) > p.limit {
		p.close()
	}
	if !p.begun {
		p.begun, p.begin = true, p.inside
		p.chunk = Chunk{Before: p.around(), First: p.count}
		if p.chunk.First == 0 {
			p.begin, p.chunk.Before = 0, nil // the first chunk begins as the file does
		}
		if length(p.chunk.Before)+tag.end-p.begin+length(after) > p.limit {
			return ErrNoRecords
		}
	}
	p.end, p.after = tag.end, after
	p.chunk.Count++
	p.count++
	return nil
}

// around is what stands before a case: the prolog and the open suites.
func (p *xmlPlanner) around() (parts [][]byte) {
	parts = append(parts, p.walker.b[:p.walker.prolog])
	for _, open := range p.open {
		parts = append(parts, open.parts...)
	}
	return parts
}

func (p *xmlPlanner) closing() (parts [][]byte) {
	for _, open := range slices.Backward(p.open) {
		parts = append(parts, []byte("</"), open.name, []byte(">"))
	}
	return parts
}

func (p *xmlPlanner) close() {
	p.chunk.Records, p.chunk.After = p.walker.b[p.begin:p.end], p.after
	p.chunks = append(p.chunks, p.chunk)
	p.begun = false
}

// finish closes the last chunk with the file's own end.
func (p *xmlPlanner) finish() ([]Chunk, error) {
	if !p.begun {
		return nil, ErrNoRecords
	}
	if rest := len(p.walker.b) - p.begin; length(p.chunk.Before)+rest <= p.limit {
		p.end, p.after = len(p.walker.b), nil
	}
	p.close()
	return p.chunks, nil
}
