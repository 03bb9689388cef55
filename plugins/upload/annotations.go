package upload

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	annotationKeyBytes   = 63
	annotationValueBytes = 1024
	annotationsMost      = 32
)

// annotationsOf reads what processors have added to an execution's object, in
// order of key, and counts what could not be kept.
func annotationsOf(object map[string]any, e *testengine.Execution) (tags []testengine.Tag, leftOut int64) {
	add := func(key string, value any) {
		text, ok := annotationText(value)
		switch {
		case !ok || key == "" || len(key) > annotationKeyBytes || len(text) > annotationValueBytes || !utf8.ValidString(key+text):
			leftOut++
		case text != "":
			tags = merged(tags, []testengine.Tag{{Key: key, Value: text}})
		}
	}
	changed, _ := object["tags"].(map[string]any)
	for _, key := range sortedKeys(changed) {
		if was, had := e.Tag(key); !had || changed[key] != any(was) {
			add(key, changed[key])
		}
	}
	annotations, _ := object["annotations"].(map[string]any)
	for _, key := range sortedKeys(annotations) {
		add(key, annotations[key])
	}
	if len(tags) > annotationsMost {
		leftOut += int64(len(tags) - annotationsMost)
		tags = tags[:annotationsMost]
	}
	return tags, leftOut
}

// annotationText writes a value as text; null and "" are nothing to keep.
func annotationText(value any) (text string, ok bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// merged adds tags to those that are there, sorted by key; a later value wins.
func merged(tags, more []testengine.Tag) []testengine.Tag {
	for _, tag := range more {
		at, found := slices.BinarySearchFunc(tags, tag.Key, func(t testengine.Tag, key string) int {
			return strings.Compare(t.Key, key)
		})
		if found {
			tags[at].Value = tag.Value
		} else {
			tags = slices.Insert(tags, at, tag)
		}
	}
	return tags
}

// withAnnotations is a copy of the block that shares its executions.
func withAnnotations(block *testengine.Block, found map[int][]testengine.Tag) *testengine.Block {
	out := *block
	annotations := testengine.Annotations{}
	if block.Annotations != nil {
		annotations = *block.Annotations
	}
	all := make(map[int][]testengine.Tag, len(annotations.Executions)+len(found))
	maps.Copy(all, annotations.Executions)
	for i, tags := range found {
		all[i] = merged(slices.Clone(all[i]), tags)
	}
	annotations.Executions = all
	out.Annotations = &annotations
	return &out
}
