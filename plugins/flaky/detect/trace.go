package detect

// Judgement is a test at a moment at which detection judged it: how often each
// term of evidence held for it until then, and how sure it was. tests/histories/fit
// derives the weights from many of them.
type Judgement struct {
	Suite, Scope, Name, File string
	At                       int64
	Terms                    []float32
	Probability              float64
}

// Terms names the terms of evidence, in the order of Judgement.Terms.
func Terms() []string {
	names := make([]string, terms)
	each := func(first term, name string, parts ...[]string) {
		list := []string{name}
		for _, part := range parts {
			var longer []string
			for _, before := range list {
				for _, word := range part {
					longer = append(longer, before+" "+word)
				}
			}
			list = longer
		}
		copy(names[first:], list)
	}
	kinds := []string{"retry", "other", "branch", "firm", "outage"}
	crowds := []string{"alone", "one", "two", "some", "dozen", "many"}
	each(termBias, "bias")
	each(termLine, "line")
	each(termRise, "rise")
	each(termShaken, "shaken rise")
	times := []string{"once", "twice", "more"}
	each(termLone, "lone", times)
	each(termOwn, "own", times)
	each(termWork, "work", times)
	each(termSolid, "solid", times)
	each(termApart, "apart", times)
	each(termLasted, "lasted", times)
	each(termPiece, "piece", kinds)
	each(termCrowd, "crowd", crowds)
	each(termWaits, "waits", crowds)
	each(termAgain, "again", crowds)
	each(termReturned, "returned", crowds)
	each(termSame, "same", crowds)
	each(termNear, "near", crowds)
	each(termSplit, "split")
	each(termTold, "told")
	each(termBranch, "branch split")
	each(termBack, "back", []string{"three", "four", "five", "six", "seven"})
	return names
}

// tracer counts terms by test; healed tests begin anew and are left out.
type tracer struct {
	tell   func(Judgement)
	sums   map[uint64]*[terms]float32
	healed map[uint64]bool
}

// Trace lets tell see every judgement. It costs time and memory, and changes nothing.
func (e *Engine) Trace(tell func(Judgement)) {
	e.tracer = &tracer{tell: tell, sums: map[uint64]*[terms]float32{}, healed: map[uint64]bool{}}
}

func (t *tracer) of(key uint64) *[terms]float32 {
	sums := t.sums[key]
	if sums == nil {
		sums = &[terms]float32{}
		t.sums[key] = sums
	}
	return sums
}

// judged tells of a test that is being judged.
func (t *tracer) judged(c *inquiry, n *names) {
	if t.healed[c.key] {
		return
	}
	all := *t.of(c.key)
	all[termBias] = 1
	for _, f := range c.record.levels() {
		all[f.term] = f.times
	}
	for _, f := range c.record.fresh() {
		all[f.term] += f.times
	}
	t.tell(Judgement{Suite: c.suite.name, Scope: n.scope, Name: n.name, File: n.file, At: c.at, Terms: all[:], Probability: c.record.probability()})
}
