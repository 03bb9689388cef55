package assemble

import "strconv"

// Merge makes one result of the uploads that one delivery held: OTLP may carry
// several runs in a request. The report is that of the first, with the counts of
// all; the blocks follow each other, and each upload but the first has its number
// behind the delivery's id.
func Merge(results []Result) Result {
	merged := results[0]
	first := 0
	for _, block := range merged.Blocks {
		first += len(block.Executions)
	}
	for i := range results[1:] {
		next := &results[i+1]
		for n, block := range next.Blocks {
			if n == 0 {
				block.Upload.Part = i + 1
				block.Upload.ID += "-" + strconv.Itoa(i+2)
			}
			block.First = first
			first += len(block.Executions)
		}
		merged.Blocks = append(merged.Blocks, next.Blocks...)
		addUp(&merged, next)
	}
	return merged
}

func addUp(merged, next *Result) {
	to, from := merged.Report, next.Report
	to.Received += from.Received
	to.Accepted += from.Accepted
	to.Rejected += from.Rejected
	to.WithoutResult += from.WithoutResult
	to.SuiteErrors += from.SuiteErrors
	if room := next.limit - len(to.Problems); room > 0 {
		to.Problems = append(to.Problems, from.Problems[:min(room, len(from.Problems))]...)
	}
	for problem, count := range from.ProblemCounts {
		if to.ProblemCounts == nil {
			to.ProblemCounts = make(map[string]int)
		}
		if _, known := to.ProblemCounts[problem]; known || len(to.ProblemCounts) < maxReasons {
			to.ProblemCounts[problem] += count
		}
	}
}
