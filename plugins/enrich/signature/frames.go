package signature

import (
	"encoding/json"
	"strings"
)

// A frameReader walks over the strings of failure_expanded, in order, line by
// line, without decoding the JSON around them.
type frameReader struct {
	raw   string
	lines string // rest of the string that is being read
}

func newFrameReader(raw string) *frameReader { return &frameReader{raw: raw} }

// line returns the next line of any string that is no key.
func (r *frameReader) line() (string, bool) {
	for r.lines == "" {
		if !r.nextString() {
			return "", false
		}
	}
	line, rest, _ := strings.Cut(r.lines, "\n")
	r.lines = rest
	return strings.TrimSpace(line), true
}

func (r *frameReader) nextString() bool {
	for {
		open := strings.IndexByte(r.raw, '"')
		if open < 0 {
			return false
		}
		end, escaped := stringEnd(r.raw, open+1)
		if end < 0 {
			r.raw = ""
			return false
		}
		body, literal := r.raw[open+1:end], r.raw[open:end+1]
		r.raw = r.raw[end+1:]
		if isKey(r.raw) {
			continue
		}
		r.lines = body
		if escaped && json.Unmarshal([]byte(literal), &r.lines) != nil {
			r.lines = body
		}
		return true
	}
}

func isKey(rest string) bool {
	rest = strings.TrimLeft(rest, " \t\r\n")
	return rest != "" && rest[0] == ':'
}

// stringEnd finds the closing quote.
func stringEnd(s string, i int) (end int, escaped bool) {
	quote := strings.IndexByte(s[i:], '"')
	if quote >= 0 && strings.IndexByte(s[i:i+quote], '\\') < 0 {
		return i + quote, false
	}
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			return i, escaped
		}
	}
	return -1, escaped
}

// firstText returns the first line that says something, for failures without a reason.
func (r *frameReader) firstText() string {
	ahead := *r
	for {
		line, ok := ahead.line()
		if !ok {
			return ""
		}
		if line != "" && !isFrame(line) {
			return line[:min(len(line), maxLine)]
		}
	}
}

// next returns the next frame of the project's own code, without the folders in front.
func (r *frameReader) next() (string, bool) {
	for {
		line, ok := r.line()
		if !ok {
			return "", false
		}
		if isFrame(line) && isOwn(line) {
			return withoutFolders(line[:min(len(line), maxFrame)]), true
		}
	}
}

// isFrame knows the frames of Java, JavaScript, C#, Ruby, Python and Go.
func isFrame(line string) bool {
	if strings.HasPrefix(line, "at ") || strings.HasPrefix(line, `File "`) {
		return true
	}
	place, _, _ := strings.Cut(line, " ")
	for {
		colon := strings.IndexByte(place, ':')
		if colon <= 0 {
			return false
		}
		if colon+1 < len(place) && isDigit(place[colon+1]) && strings.IndexByte(place[:colon], '.') >= 0 {
			return true
		}
		place = place[colon+1:]
	}
}

// libraryFolders are parts of paths in which libraries lie, with what all of a
// row have in common: a line without it has none of them.
var libraryFolders = []struct {
	common string
	parts  []string
}{
	{"node", []string{"node_modules", "node:"}},
	{"<", []string{"<Jasmine>", "<anonymous>)", "<frozen "}},
	{"(i", []string{"(internal/"}},
	{"-packages/", []string{"/site-packages/", "/dist-packages/"}},
	{"/lib/", []string{"/lib/python", "/usr/lib/"}},
	{"gems", []string{"/gems/", "/rubygems"}},
	{"/go/", []string{"/go/pkg/mod/", "/go/src/"}},
	{"/vendor/", []string{"/vendor/"}},
}

func inLibrary(line string) bool {
	for i := range libraryFolders {
		if folders := &libraryFolders[i]; strings.Contains(line, folders.common) {
			for _, part := range folders.parts {
				if strings.Contains(line, part) {
					return true
				}
			}
		}
	}
	return false
}

var libraryPackages = []string{
	"java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.", "org.codehaus.groovy.", "clojure.",
	"org.junit.", "junit.", "org.testng.", "org.awaitility.", "org.mockito.", "org.assertj.", "org.hamcrest.", "org.gradle.",
	"org.apache.maven.", "org.springframework.test.", "reactor.", "io.netty.", "System.", "Xunit.", "NUnit.", "Microsoft.", "new Promise",
	"Promise.", "process.", "async Promise",
}

func isOwn(line string) bool {
	if strings.IndexByte(line, '/') >= 0 || strings.IndexByte(line, '<') >= 0 || strings.Contains(line, "node:") {
		if inLibrary(line) {
			return false
		}
	}
	name, found := strings.CutPrefix(line, "at ")
	if !found {
		return true
	}
	// Java writes loader and module in front: app//…, java.base@17.0.6/….
	call, _, _ := strings.Cut(name, "(")
	name = name[strings.LastIndexByte(call, '/')+1:]
	for _, library := range libraryPackages {
		if strings.HasPrefix(name, library) {
			return false
		}
	}
	return true
}

// withoutFolders keeps a file's name and its folder: agents check out to different places.
func withoutFolders(frame string) string {
	name := strings.LastIndexByte(frame, '/')
	if name < 0 {
		return frame
	}
	folder := strings.LastIndexByte(frame[:name], '/')
	if folder < 0 {
		return frame
	}
	start := strings.LastIndexAny(frame[:folder+1], " (\"") + 1
	return frame[:start] + frame[folder+1:]
}
