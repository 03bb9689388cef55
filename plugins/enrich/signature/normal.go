package signature

import "strings"

// firstLine returns the first line that is not blank, cut to maxLine bytes.
func firstLine(text string) string {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if line = strings.TrimSpace(line); line != "" {
			return line[:min(len(line), maxLine)]
		}
		text = rest
	}
	return ""
}

// appendNormal appends the line without what differs between failures of one
// cause. One pass, no allocation if dst has room: the result is never longer
// than the line and one byte.
func appendNormal(dst []byte, line string) []byte {
	start := len(dst)
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case isWord(c):
			n := wordLength(line[i:])
			dst = appendWord(dst, start, line[i:i+n], i > 0 && line[i-1] == '@')
			i += n
		case c == '"' || c == '\'' || c == '`':
			n := quotedLength(line, i)
			if n == 0 {
				dst = append(dst, c)
				i++
				break
			}
			dst = append(dst, '"', '"')
			i += n
		case c == ' ' || c == '\t' || c == '\r':
			if len(dst) > start && dst[len(dst)-1] != ' ' {
				dst = append(dst, ' ')
			}
			i++
		case c == 0x1b:
			i += escapeLength(line[i:])
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// quotedLength is the length of the quoted text that begins at i, quotes
// included; 0 when it is an apostrophe or nothing closes it.
func quotedLength(line string, i int) int {
	quote := line[i]
	if quote == '\'' && i > 0 && isWord(line[i-1]) {
		return 0
	}
	if quote == '`' { // Ruby opens with ` and closes with '.
		if end := strings.IndexAny(line[i+1:], "`'"); end >= 0 {
			return end + 2
		}
		return 0
	}
	if end := strings.IndexByte(line[i+1:], quote); end >= 0 {
		return end + 2
	}
	return 0
}

// escapeLength is the length of a terminal escape such as ESC [ 31 m.
func escapeLength(s string) int {
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; c >= 'a' && c <= 'z' {
			return i + 1
		}
	}
	return len(s)
}

const uuidLength = 36

// wordLength is the length of the letters and digits s begins with, or of a UUID.
func wordLength(s string) int {
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	if n == 8 && len(s) >= uuidLength && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && isHex(s[:8]) && isHex(s[24:uuidLength]) {
		return uuidLength
	}
	return n
}

// appendWord appends letters as they are, and # for numbers and ids. Numbers
// joined by one of . : - , _ are one number: times, versions, addresses.
func appendWord(dst []byte, start int, word string, afterAt bool) []byte {
	if isID(word, afterAt) {
		return appendNumber(dst, start)
	}
	for i := 0; i < len(word); {
		if !isDigit(word[i]) {
			dst = append(dst, word[i])
			i++
			continue
		}
		for i < len(word) && isDigit(word[i]) {
			i++
		}
		dst = appendNumber(dst, start)
	}
	return dst
}

func appendNumber(dst []byte, start int) []byte {
	n := len(dst)
	if n-start >= 2 && dst[n-2] == '#' && strings.IndexByte(".:-,_/", dst[n-1]) >= 0 {
		return dst[:n-1]
	}
	// A sign belongs to its number.
	if n > start && dst[n-1] == '-' && (n-1 == start || !isWord(dst[n-2])) {
		return append(dst[:n-1], '#')
	}
	return append(dst, '#')
}

const (
	idLength      = 8 // hexadecimal digits
	objectLength  = 5 // behind an @: Java's identity hashes
	idTransitions = 3 // changes between letters and digits
)

// isID reports whether the word is an id, not a name: a UUID, hexadecimal
// digits, or letters and digits in turn.
func isID(word string, afterAt bool) bool {
	if len(word) == uuidLength {
		return true
	}
	if len(word) > 2 && word[0] == '0' && word[1]|0x20 == 'x' {
		return isHex(word[2:])
	}
	changes, digits := 0, 0
	for i := range len(word) {
		digit := isDigit(word[i])
		if digit {
			digits++
		}
		if i > 0 && digit != isDigit(word[i-1]) {
			changes++
		}
	}
	if afterAt && len(word) >= objectLength && isHex(word) {
		return true
	}
	return digits > 0 && (changes >= idTransitions || len(word) >= idLength && isHex(word))
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; !isDigit(s[i]) && (c < 'a' || c > 'f') && s[i] != '-' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c-'0' < 10 }

func isWord(c byte) bool { return isDigit(c) || c|0x20-'a' < 26 || c >= 0x80 }
