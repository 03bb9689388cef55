package accounting

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// sent is a body with what it holds, counted while it was written.
type sent struct {
	contentType, encoding string
	body                  []byte
	// broken bodies cannot be read at all.
	broken bool
	want   query.UploadTally
	// rejects are the indexes of its bad records.
	rejects []int
}

// generate writes one body: small or of several pieces, in JSON or JUnit, packed
// or not, with bad records here and there.
func generate(rng *rand.Rand, number int) sent {
	records := rng.IntN(40)
	if rng.IntN(6) == 0 {
		records = 3000 + rng.IntN(4000) // more than one record of a log holds
	}
	s := sent{contentType: "application/json"}
	if rng.IntN(3) == 0 {
		s.junit(rng, number, records)
	} else {
		s.json(rng, number, records)
	}
	s.want.Uploads = 1
	s.want.Received = s.want.Accepted + s.want.Rejected
	if rng.IntN(10) == 0 && len(s.body) < 100_000 {
		s = sent{contentType: s.contentType, body: s.body[:len(s.body)-3], broken: true, want: query.UploadTally{Uploads: 1}}
	}
	if rng.IntN(3) == 0 {
		s.encoding = "gzip"
		s.body = packed(s.body)
	}
	if s.want.Accepted == 0 {
		s.want.Empty = 1
	}
	s.want.Bytes = int64(len(s.body))
	return s
}

func (s *sent) json(rng *rand.Rand, number, records int) {
	var b strings.Builder
	fmt.Fprintf(&b, `{"format":"json","run_env":{"key":"build-%d"},"data":[`, number)
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		switch rng.IntN(20) {
		case 0:
			s.reject(i)
			fmt.Fprintf(&b, `{"scope":"nameless %d","result":"passed"}`, i)
		case 1:
			s.reject(i)
			b.WriteString(`"no object"`)
		case 2:
			s.want.Accepted++
			s.want.WithoutResult++
			fmt.Fprintf(&b, `{"name":"silent %d"}`, i)
		default:
			s.want.Accepted++
			fmt.Fprintf(&b, `{"name":"case %d","result":"%s","location":"spec/a_spec.rb:%d","failure_reason":"%s"}`, i, []string{"passed", "failed"}[rng.IntN(2)], i, strings.Repeat("r", 300))
		}
	}
	b.WriteString("]}")
	s.body = []byte(b.String())
}

func (s *sent) junit(rng *rand.Rand, number, records int) {
	var b strings.Builder
	fmt.Fprintf(&b, `<testsuites><testsuite name="suite %d">`, number)
	for i := range records {
		if rng.IntN(20) == 0 {
			s.reject(i)
			b.WriteString(`<testcase classname="nameless" time="0.1"/>`)
			continue
		}
		s.want.Accepted++
		fmt.Fprintf(&b, `<testcase classname="Invoice" name="case %d" time="0.25"><system-out>%s</system-out></testcase>`, i, strings.Repeat("o", 300))
	}
	b.WriteString("</testsuite></testsuites>")
	s.contentType = "multipart/form-data; boundary=cut"
	s.body = []byte("--cut\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\njunit\r\n--cut\r\nContent-Disposition: form-data; name=\"run_env[key]\"\r\n\r\nb" +
		strconv.Itoa(number) + "\r\n--cut\r\nContent-Disposition: form-data; name=\"data\"; filename=\"junit.xml\"\r\n\r\n" + b.String() + "\r\n--cut--\r\n")
}

func (s *sent) reject(index int) {
	s.want.Rejected++
	s.rejects = append(s.rejects, index)
}

func packed(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(raw)
	_ = w.Close()
	return b.Bytes()
}
