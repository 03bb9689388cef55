package uploads

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Key is the key under which a door writes the uploads of suite number n.
func Key(n int) []byte { return []byte("acme/suite-" + strconv.Itoa(n)) }

// Partition is where the uploads of suite number n lie.
func Partition(n, partitions int) int {
	return kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: Key(n)}, partitions)
}

// Spread returns the numbers of as many suites, so chosen that their keys fall
// evenly on the partitions.
func Spread(suites, partitions int) []int {
	full := make([]int, partitions)
	numbers := make([]int, 0, suites)
	for n := 0; len(numbers) < suites; n++ {
		at := Partition(n, partitions)
		if full[at] < (suites+partitions-1)/partitions {
			full[at]++
			numbers = append(numbers, n)
		}
	}
	return numbers
}
