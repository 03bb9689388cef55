package formats

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/multipart"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

// recordedNames are all recorded requests that carry results.
func recordedNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordedFolder, "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var request recording
		require.NoError(t, json.Unmarshal(raw, &request))
		if request.Path == "/v1/uploads" {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
		}
	}
	require.Greater(t, len(names), 30)
	return names
}

var packers = map[unpack.Encoding]func(io.Writer) io.WriteCloser{
	unpack.Gzip:    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	unpack.Deflate: func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	unpack.Zstd: func(w io.Writer) io.WriteCloser {
		writer, _ := zstd.NewWriter(w)
		return writer
	},
}

// facts are what must not depend on how an upload is written.
func facts(result assemble.Result) (all []string) {
	for _, block := range result.Blocks {
		u := block.Upload
		for i := range block.Executions {
			e := &block.Executions[i]
			all = append(all, fmt.Sprintf("%s %s %s %d %s %s %s %v %s %v", u.RunID, u.Branch, u.CommitSHA, e.TestID, e.Name, e.Result, e.Location, e.Duration, e.FailureReason, e.Tags))
		}
	}
	return all
}

// Client, format, encoding and order: the executions are the same.
func TestHowAnUploadIsWrittenDoesNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, name := range recordedNames(t) {
		t.Run(name, func(t *testing.T) {
			contentType, body := recorded(t, name)
			want := facts(Decode(testFacts, contentType, body, assemble.DefaultLimits()))
			for encoding, open := range packers {
				var b bytes.Buffer
				w := open(&b)
				_, err := w.Write(body)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				unpacked, err := unpack.Append(encoding, nil, b.Bytes(), 1<<22)
				require.NoError(t, err)
				require.Equal(t, want, facts(Decode(testFacts, contentType, unpacked, assemble.DefaultLimits())), encoding)
			}
			for range 6 {
				other := anotherOrder(t, random, contentType, body)
				require.NoError(t, check(contentType, other, 128))
				require.Equal(t, want, facts(Decode(testFacts, contentType, other, assemble.DefaultLimits())), "%s", other)
			}
		})
	}
}

var testFacts = assemble.Facts{UploadID: "up_1", Org: "acme", Suite: "api"}

// anotherOrder is the same upload with its parts, or the keys of its envelope,
// in another order; JSON now and then with white space.
func anotherOrder(t *testing.T, random *rand.Rand, contentType string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if boundary := multipart.Boundary(contentType); boundary != "" {
		parts, err := multipart.Parse(body, boundary)
		require.NoError(t, err)
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, part := range parts {
			fmt.Fprintf(&out, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, part.Name, part.Value)
		}
		fmt.Fprintf(&out, "--%s--\r\n", boundary)
		return out.Bytes()
	}
	var envelope map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &envelope))
	keys := make([]string, 0, len(envelope))
	for key := range envelope {
		keys = append(keys, key)
	}
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	out.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:%s", key, envelope[key])
	}
	out.WriteByte('}')
	if random.IntN(2) == 0 {
		var pretty bytes.Buffer
		require.NoError(t, json.Indent(&pretty, out.Bytes(), "", "\t"))
		return pretty.Bytes()
	}
	return out.Bytes()
}

// The report of an upload adds up, whatever came: received is accepted and
// rejected, the blocks hold what was accepted, each rejection is named, and
// nothing of a body that was refused is counted.
func TestTheNumbersOfAReportAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	names := recordedNames(t)
	bodies := map[string][2]string{}
	for _, name := range names {
		contentType, body := recorded(t, name)
		bodies[name] = [2]string{contentType, string(body)}
	}
	refused, rejected := 0, 0
	for range 4000 {
		name := names[random.IntN(len(names))]
		body := spoiled(random, []byte(bodies[name][1]))
		limits := assemble.DefaultLimits()
		limits.MaxProblems = 1 << 20
		limits.BlockSize = 1 + random.IntN(4)
		result := Decode(testFacts, bodies[name][0], body, limits)
		r := result.Report
		require.Equal(t, r.Received, r.Accepted+r.Rejected)
		held, unknown, suiteErrors, first := 0, 0, 0, 0
		places := map[int]bool{}
		for _, block := range result.Blocks {
			require.Equal(t, first, block.First)
			first += len(block.Executions)
			held += len(block.Executions)
			for i := range block.Executions {
				e := &block.Executions[i]
				require.False(t, places[e.Index], "a place is given once")
				places[e.Index] = true
				require.Less(t, e.Index, r.Received)
				if e.Result == testengine.ResultUnknown {
					unknown++
				}
				if e.SuiteError {
					suiteErrors++
				}
			}
		}
		require.Equal(t, []int{r.Accepted, r.WithoutResult, r.SuiteErrors}, []int{held, unknown, suiteErrors})
		named := map[int]bool{}
		for _, problem := range r.Problems {
			if problem.Index >= 0 && !places[problem.Index] {
				named[problem.Index] = true
				require.NotEmpty(t, problem.Field)
				require.NotEmpty(t, problem.Reason)
			}
		}
		require.Len(t, named, r.Rejected, "%v", r.Problems)
		if result.Refused {
			refused++
			require.Zero(t, r.Received)
			require.Equal(t, -1, r.Problems[0].Index)
		}
		rejected += r.Rejected
	}
	require.Positive(t, refused)
	require.Positive(t, rejected)
}

// spoiled changes some bytes, takes names away, or cuts the body off.
func spoiled(random *rand.Rand, body []byte) []byte {
	switch random.IntN(4) {
	case 0:
		return body[:random.IntN(len(body)+1)]
	case 1:
		for range 1 + random.IntN(5) {
			body[random.IntN(len(body))] = byte(random.IntN(256))
		}
	case 2:
		for _, key := range []string{`"name":`, `"title":`, `"description":`, ` name="`, `"Test":`} {
			if random.IntN(2) == 0 {
				body = bytes.Replace(body, []byte(key), []byte(strings.Replace(key, "e", "3", 1)), random.IntN(4))
			}
		}
	}
	return body
}
