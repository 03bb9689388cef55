package rows

import (
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// UploadOnlyKeys are tags of uploads that never go into tag sets, since every
// upload has another value; they are found with the upload.
var UploadOnlyKeys = []string{
	"scm.branch", "scm.commit_sha", "build.id", "build.job_id", "build.number", "build.url", "build.step_id", "build.message",
}

const (
	// spilled marks a set that lies in execution_tags.
	spilled = ^uint32(0)
	// fileKey is served by tests.file.
	fileKey  = "code.file.path"
	memoSize = 1 << 18
)

func kind(whole bool) int {
	if whole {
		return 1
	}
	return 0
}

// uploadTags merges what holds for a whole upload, in order of key: the tags
// sent win over those annotated.
func uploadTags(b *testengine.Block) []testengine.Tag {
	var annotated []testengine.Tag
	if b.Annotations != nil {
		annotated = b.Annotations.Tags
	}
	return mergeTags(b.Upload.Tags, annotated)
}

// mergeTags joins lists; of one key the first tag wins. The result is in order of key.
func mergeTags(lists ...[]testengine.Tag) []testengine.Tag {
	var merged []testengine.Tag
	for _, list := range lists {
		merged = append(merged, list...)
	}
	slices.SortStableFunc(merged, func(a, b testengine.Tag) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(merged, func(a, b testengine.Tag) bool { return a.Key == b.Key })
}

func cloneTags(tags []testengine.Tag) []testengine.Tag {
	clones := make([]testengine.Tag, len(tags))
	for i, t := range tags {
		clones[i] = testengine.Tag{Key: strings.Clone(t.Key), Value: strings.Clone(t.Value)}
	}
	return clones
}

func hashTags(seed uint64, tags []testengine.Tag) uint64 {
	for i := range tags {
		seed = testengine.Hash(testengine.Hash(seed, tags[i].Key), tags[i].Value)
	}
	return seed
}

// blockTags numbers the tag sets of one block's executions.
type blockTags struct {
	names *Names
	suite *suiteState
	base  []testengine.Tag // of the upload, as far as they go into sets
	seed  uint64
	none  uint32 // set of executions without tags of their own
	ready bool
	// The last set found, since neighbours are often alike.
	lastHash uint64
	last     uint32
}

func (n *Names) blockTags(suite *suiteState, upload []testengine.Tag) blockTags {
	base := make([]testengine.Tag, 0, len(upload))
	for _, t := range upload {
		if !slices.Contains(UploadOnlyKeys, t.Key) {
			base = append(base, t)
		}
	}
	t := blockTags{names: n, suite: suite, base: base}
	t.begin()
	return t
}

func (t *blockTags) begin() {
	t.seed = testengine.HashUint(uint64(t.suite.number)<<8|uint64(t.suite.mode), 1)
	if t.suite.mode == TagsWhole {
		t.seed = hashTags(t.seed, t.base)
	}
	t.ready, t.lastHash = false, 0
}

// set returns the number of the execution's set, or spilled. own are the tags
// sent with the execution, annotated those that a user's mapping added.
func (t *blockTags) set(own, annotated []testengine.Tag) uint32 {
	if len(own)+len(annotated) == 0 {
		if !t.ready {
			t.none, t.ready = t.lookUp(t.seed, nil, nil), true
		}
		return t.none
	}
	hash := hashTags(hashTags(t.seed, own), annotated)
	if hash != t.lastHash {
		t.last = t.lookUp(hash, own, annotated)
		t.lastHash = hash
	}
	return t.last
}

func (t *blockTags) lookUp(hash uint64, own, annotated []testengine.Tag) uint32 {
	if number, ok := t.names.memo[hash]; ok {
		return number
	}
	number, ok := t.resolve(own, annotated)
	if !ok { // the suite has just changed its mode
		t.begin()
		return t.lookUp(hashTags(hashTags(t.seed, own), annotated), own, annotated)
	}
	if len(t.names.memo) >= memoSize {
		clear(t.names.memo)
	}
	t.names.memo[hash] = number
	return number
}

// resolve finds or makes the set; ok is false when it made one set too many and
// the suite went to the next mode.
func (t *blockTags) resolve(own, annotated []testengine.Tag) (number uint32, ok bool) {
	annotated = slices.DeleteFunc(slices.Clone(annotated), func(t testengine.Tag) bool { return t.Key == fileKey })
	whole := t.suite.mode == TagsWhole
	tags := mergeTags(own, annotated)
	if whole {
		tags = mergeTags(own, annotated, t.base)
	}
	if len(tags) == 0 {
		return 0, true
	}
	n := t.names
	key := setKey{t.suite.number, whole, hashTags(0, tags)}
	if number, ok := n.sets[key]; ok {
		return number, true
	}
	if t.suite.sets[kind(whole)] >= n.limit {
		if t.suite.mode == TagsSpilled {
			return spilled, true
		}
		t.suite.mode++
		n.change(t.suite)
		return 0, false
	}
	number = n.nextSet
	n.nextSet++
	t.suite.sets[kind(whole)]++
	n.sets[key] = number
	n.newSets = append(n.newSets, TagSet{Number: number, Suite: t.suite.number, Hash: key.hash, Whole: whole, Tags: cloneTags(tags)})
	return number, true
}
