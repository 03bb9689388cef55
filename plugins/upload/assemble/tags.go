package assemble

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// UploadTag takes one tag of the upload. A tag outside the limits is dropped
// with a remark.
func (b *Builder) UploadTag(key, value string) {
	if at := findTag(b.upload.Tags, key); at >= 0 {
		if reason := b.limits.valueProblem(value); reason != "" {
			b.Envelope("tags", reason, key)
			return
		}
		b.upload.Tags[at].Value = strings.Clone(value)
		return
	}
	if reason := b.limits.tagProblem(b.upload.Tags, b.limits.UploadTags, key, value); reason != "" {
		b.Envelope("tags", reason, key)
		return
	}
	b.upload.Tags = append(b.upload.Tags, testengine.Tag{Key: strings.Clone(key), Value: strings.Clone(value)})
}

// Tag takes one tag of the execution that is being read. A tag outside the
// limits is dropped with a remark, the execution stays.
func (b *Builder) Tag(e *testengine.Execution, key, value string) {
	if at := findTag(e.Tags, key); at >= 0 {
		if reason := b.limits.valueProblem(value); reason != "" {
			b.Remark(b.index, "tags", reason, key)
			return
		}
		e.Tags[at].Value = value
		return
	}
	if reason := b.limits.tagProblem(e.Tags, b.limits.ExecutionTags, key, value); reason != "" {
		b.Remark(b.index, "tags", reason, key)
		return
	}
	e.Tags = b.appendTag(e.Tags, testengine.Tag{Key: key, Value: value})
}

// arenaTags is how many tags are allocated at once.
const arenaTags = 128

// appendTag lets the tags of many executions share one array: the execution that
// is being read owns its end.
func (b *Builder) appendTag(tags []testengine.Tag, tag testengine.Tag) []testengine.Tag {
	if len(b.tagArena) == cap(b.tagArena) {
		room := make([]testengine.Tag, 0, max(arenaTags, 2*len(tags)+1))
		b.tagArena = append(room, tags...)
	} else if len(tags) == 0 {
		b.tagArena = b.tagArena[len(b.tagArena):]
	}
	b.tagArena = append(b.tagArena, tag)
	n := len(b.tagArena)
	return b.tagArena[:n:n]
}

func findTag(tags []testengine.Tag, key string) int {
	for i := range tags {
		if tags[i].Key == key {
			return i
		}
	}
	return -1
}

// tagProblem names what keeps a tag out, or "".
func (l Limits) tagProblem(tags []testengine.Tag, most int, key, value string) string {
	if reason := l.keyProblem(key); reason != "" {
		return reason
	}
	if reason := l.valueProblem(value); reason != "" {
		return reason
	}
	if len(tags) >= most {
		return "too many tags: this one was dropped"
	}
	for i := range tags {
		if dotPrefix(tags[i].Key, key) || dotPrefix(key, tags[i].Key) {
			return "one key is the beginning of another: this tag was dropped"
		}
	}
	return ""
}

func (l Limits) keyProblem(key string) string {
	if len(key) > l.TagKeyBytes {
		return "the key is too long: this tag was dropped"
	}
	if key == "" || !letter(key[0]) {
		return "the key does not start with a letter: this tag was dropped"
	}
	for i := 1; i < len(key); i++ {
		if c := key[i]; !letter(c) && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return "the key holds other characters than letters, digits, _ - . : this tag was dropped"
		}
	}
	if key == "mut" || strings.HasPrefix(key, "mut.") {
		return "the key is reserved: this tag was dropped"
	}
	return ""
}

func (l Limits) valueProblem(value string) string {
	if len(value) > l.TagValueBytes {
		return "the value is too long: this tag was dropped"
	}
	if strings.TrimSpace(value) == "" {
		return "the value is blank: this tag was dropped"
	}
	return ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func dotPrefix(short, long string) bool {
	return len(long) > len(short) && long[len(short)] == '.' && long[:len(short)] == short
}
