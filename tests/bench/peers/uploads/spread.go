package uploads

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Key is the key under which a door writes the uploads of suite number n.
func Key(n int) []byte { return []byte("acme/suite-" + strconv.Itoa(n)) }

// Spread returns the numbers of as many suites, so chosen that their keys fall
// evenly on the partitions.
func Spread(suites, partitions int) []int {
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("")
	full := make([]int, partitions)
	numbers := make([]int, 0, suites)
	for n := 0; len(numbers) < suites; n++ {
		at := partitioner.Partition(&kgo.Record{Key: Key(n)}, partitions)
		if full[at] < (suites+partitions-1)/partitions {
			full[at]++
			numbers = append(numbers, n)
		}
	}
	return numbers
}
