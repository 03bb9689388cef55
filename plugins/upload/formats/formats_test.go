package formats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

const formType = `multipart/form-data; boundary="x y"`

func form(parts ...string) []byte {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		fmt.Fprintf(&b, "--x y\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", parts[i], parts[i+1])
	}
	b.WriteString("--x y--\r\n")
	return []byte(b.String())
}

func TestFormsAreReadWhateverTheirOrder(t *testing.T) {
	tests := []struct {
		name  string
		parts []string
	}{
		{"the file first", []string{"data", `[{"name":"a"}]`, "format", "json", "run_env[key]", "k", "run_env[execution_name_prefix]", "p ", "tags[os]", "linux"}},
		{"the file last", []string{"run_env[key]", "k", "format", "json", "run_env[execution_name_prefix]", "p ", "tags[os]", "linux", "data", `[{"name":"a"}]`}},
		{"parts nobody knows", []string{"format", "json", "attachment", "--x", "data", `[{"name":"a"}]`, "run_env[key]", "k", "run_env[execution_name_prefix]", "p ", "tags[os]", "linux"}},
		{"an upload in the file", []string{"format", "json", "data", `{"data":[{"name":"a"}],"run_env":{"key":"other","branch":"b"}}`, "run_env[key]", "k", "run_env[execution_name_prefix]", "p ", "tags[os]", "linux"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := form(test.parts...)
			seen, err := Look(formType, body, 128)
			require.NoError(t, err)
			require.Equal(t, "k", seen.RunKey)
			require.Equal(t, 1, seen.Executions)
			result := Decode(assemble.Facts{UploadID: "up", Org: "o", Suite: "s"}, formType, body, assemble.DefaultLimits())
			require.Equal(t, "k", result.Report.RunKey)
			require.Equal(t, "p a", result.Blocks[0].Executions[0].Name)
			require.Len(t, result.Blocks[0].Upload.Tags, 1)
		})
	}
}

func TestWhatIsRefusedSaysWhereAndWhy(t *testing.T) {
	tests := []struct {
		name string
		kind string
		body []byte
		want string
		is   error
	}{
		{"JSON", "application/json; charset=utf-8", []byte(`{"data":[{]}`), "the JSON is broken at byte 10: a key in quotes is expected", nil},
		{"JSON in a form", formType, form("format", "json", "data", `[{]`), "the JSON is broken at byte 118: a key in quotes is expected", nil},
		{"XML in a form", formType, form("format", "junit", "data", `<testsuite></b>`), "the XML is broken at byte 128: this end tag does not match the start tag", nil},
		{"a form without end", formType, []byte("--x y\r\n\r\nabc"), "the multipart body is broken at byte 12: the closing boundary is missing", nil},
		{"a form with another boundary", formType, []byte("--z\r\n"), "the multipart body is broken at byte 0: the boundary x y of the content type is not in the body", nil},
		{"a form without data", formType, form("format", "json"), "the multipart body is broken at byte 71: it has no part named data", nil},
		{"a form without format", formType, form("data", "[]"), "", ErrFormat},
		{"a format nobody knows", formType, form("format", "tap", "data", "[]"), "", ErrFormat},
		{"a content type nobody knows", "application/x-www-form-urlencoded", []byte(`{}`), "", ErrContentType},
		{"no boundary", "multipart/form-data", form("format", "json"), "", ErrContentType},
		{"a native format in an upload", "application/json", []byte(`{"format":"rspec-json","data":[]}`), `the JSON is broken at byte 10: format must be "json"`, nil},
		{"an upload without data", "application/json", []byte(`{"run_env":{}}`), "the JSON is broken at byte 0: the upload has no data", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := check(test.kind, test.body, 128)
			require.Error(t, err)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			} else {
				var syntax *assemble.SyntaxError
				require.ErrorAs(t, err, &syntax)
				require.EqualError(t, err, test.want)
			}
			result := Decode(assemble.Facts{UploadID: "up"}, test.kind, test.body, assemble.DefaultLimits())
			require.True(t, result.Refused)
			require.Empty(t, result.Blocks)
			require.Equal(t, err.Error(), result.Report.Problems[0].Reason)
		})
	}
}

func TestTextsFromWindowsAreRead(t *testing.T) {
	for name, file := range map[string]string{
		"json": `[{"name":"a"}]`, "junit": `<testsuite><testcase name="a"/></testsuite>`,
		"rspec-json":      `{"examples":[{"description":"a"}]}`,
		"jest-json":       `{"testResults":[{"assertionResults":[{"title":"a"}]}]}`,
		"playwright-json": `{"suites":[{"specs":[{"title":"a","tests":[{}]}]}]}`,
		"cucumber-json":   `[{"elements":[{"name":"a"}]}]`,
		"go-jsonl":        `{"Action":"pass","Test":"a"}` + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := form("format", name, "data", byteOrder8+file, "run_env[key]", "k")
			seen, err := Look(formType, body, 128)
			require.NoError(t, err)
			require.Equal(t, 1, seen.Executions)
			result := Decode(testFacts, formType, body, assemble.DefaultLimits())
			require.Equal(t, 1, result.Report.Accepted)
			require.Empty(t, result.Report.Problems)
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				body = form("format", name, "data", inUTF16(strings.ReplaceAll(file, `"a"`, `"é😀"`), order), "run_env[key]", "k")
				seen, err = Look(formType, body, 128)
				require.NoError(t, err)
				require.Equal(t, 1, seen.Executions)
				result = Decode(testFacts, formType, body, assemble.DefaultLimits())
				require.Equal(t, "é😀", result.Blocks[0].Executions[0].Name)
			}
			for _, broken := range []string{byteOrder8 + file + "\x01", inUTF16(file+"\x01", binary.LittleEndian)} {
				body = form("data", broken, "format", name)
				err = check(formType, body, 128)
				if name == "go-jsonl" {
					require.NoError(t, err, "a line that is none is passed over")
					continue
				}
				var syntax *assemble.SyntaxError
				require.ErrorAs(t, err, &syntax)
				require.GreaterOrEqual(t, syntax.Offset, bytes.Index(body, []byte(broken)), "the offset is that of the body")
				result = Decode(testFacts, formType, body, assemble.DefaultLimits())
				require.True(t, result.Refused)
				require.Contains(t, result.Report.Problems[0].Snippet, file[max(0, len(file)-20):], "what stands there is readable")
			}
		})
	}
	_, err := Look("application/json", []byte(byteOrder8+`{"data":[{]}`), 128)
	require.EqualError(t, err, "the JSON is broken at byte 13: a key in quotes is expected")
	_, err = Look("application/json", []byte(byteOrder8+`{"data":[{"name":"a"}]}`), 128)
	require.NoError(t, err)
}

func inUTF16(text string, order binary.AppendByteOrder) string {
	out := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestHalvesOfUTF16AreReplaced(t *testing.T) {
	for text, want := range map[string]string{
		"\xff\xfea\x00b": "a\uFFFD", "\xff\xfe\x00\xd8": "\uFFFD", "\xfe\xff\xdc\x00\x00a": "\uFFFDa", "\xff\xfe\x00\xd8a\x00": "\uFFFDa", "\xff\xfe": "",
	} {
		got, mark := plain([]byte(text))
		require.Equal(t, want, string(got))
		require.Equal(t, 2, mark)
	}
}

// With two files in a form it is not clear which is meant; one of them would be lost without a word.
func TestAFormWithTwoFilesIsRefusedAndPartsNobodyReadsAreNamed(t *testing.T) {
	for _, twice := range []string{"data", "format"} {
		body := form("format", "json", "data", `[{"name":"a"}]`, twice, `[{"name":"b"}]`)
		_, err := Look(formType, body, 128)
		want := "a second part named " + twice + " stands here: send an upload for each file, all with the same run_env[key]"
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, strconv.Itoa(bytes.Index(body, []byte(`[{"name":"b"}]`))))
		require.Contains(t, Decode(testFacts, formType, body, assemble.DefaultLimits()).Report.Problems[0].Reason, want)
	}
	body := form("format", "json", "run_env.key", "k", "run_env[key]", "k", "data", `[{"name":"a"}]`, "dta", "x")
	result := Decode(testFacts, formType, body, assemble.DefaultLimits())
	require.Equal(t, 1, result.Report.Accepted)
	require.Equal(t, []testengine.Problem{
		{Index: -1, Field: "form", Reason: "a part of this name is not read: it was passed over", Snippet: "run_env.key"},
		{Index: -1, Field: "form", Reason: "a part of this name is not read: it was passed over", Snippet: "dta"},
	}, result.Report.Problems)
}

func TestAnEmptyFileIsAnUploadOfNothing(t *testing.T) {
	for _, name := range names() {
		for _, file := range []string{"", " \r\n", byteOrder8, littleEndian, "\xff\xfe\r\x00\n\x00"} {
			body := form("data", file, "format", name, "run_env[key]", "k")
			seen, err := Look(formType, body, 128)
			require.NoError(t, err)
			require.Equal(t, []any{"k", 0}, []any{seen.RunKey, seen.Executions})
			result := Decode(testFacts, formType, body, assemble.DefaultLimits())
			require.False(t, result.Refused)
			require.Equal(t, []any{"k", 0}, []any{result.Report.RunKey, result.Report.Received})
			require.Equal(t, map[string]int{"data: the file is empty": 1}, result.Report.ProblemCounts)
		}
	}
}

// What must hold: nothing panics, and Decode reads exactly what Look lets pass
// (but for broken lines of NDJSON, which lose themselves alone).
func FuzzForm(f *testing.F) {
	f.Add(form("format", "json", "data", `[{"name":"a"}]`, "run_env[key]", "k"))
	f.Add(form("format", "junit", "data", `<testsuite><testcase name="a"/></testsuite>`))
	f.Add([]byte("--x y\nContent-Disposition: form-data; name=data\n\n{}\n--x y--"))
	f.Add([]byte("--x y--"))
	f.Add(form("format", "json", "data", inUTF16(`[{"name":"é"}]`, binary.LittleEndian), "other", "x"))
	f.Add(form("format", "junit", "data", "<?xml version='1.0' encoding='Shift_JIS'?><testsuite><testcase name='\x83e'/></testsuite>"))
	f.Add(form("format", "json", "data", "[]", "data", "[]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		err := check(formType, body, 128)
		result := Decode(assemble.Facts{UploadID: "up"}, formType, body, assemble.DefaultLimits())
		if err == nil {
			require.False(t, result.Refused, "%q", body)
		}
		if result.Refused {
			require.Error(t, err)
		}
		require.Equal(t, result.Report.Received, result.Report.Accepted+result.Report.Rejected)
	})
}

// check says what is wrong with a body.
func check(contentType string, body []byte, maxDepth int) error {
	_, err := Look(contentType, body, maxDepth)
	return err
}
