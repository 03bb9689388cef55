package chunk

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func chunkerOf(t *testing.T, yaml string, options ...service.MockResourcesOptFn) *chunker {
	t.Helper()
	conf, err := chunkSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	c, err := chunkerFromParsed(conf, service.MockResources(options...))
	require.NoError(t, err)
	return c
}

// process gives the content of what the processor makes of a message.
func process(t *testing.T, c *chunker, m *service.Message) (batch service.MessageBatch, contents []string) {
	t.Helper()
	batch, err := c.Process(t.Context(), m)
	require.NoError(t, err)
	for _, out := range batch {
		content, err := out.AsBytes()
		require.NoError(t, err)
		contents = append(contents, string(content))
	}
	return batch, contents
}

func with(m *service.Message, pairs ...string) *service.Message {
	for i := 0; i < len(pairs); i += 2 {
		m.MetaSetMut(pairs[i], pairs[i+1])
	}
	return m
}

func pushes(n int) string {
	commits := make([]string, n)
	for i := range commits {
		commits[i] = fmt.Sprintf(`{"id":%d,"message":"%s"}`, i, strings.Repeat("m", 20))
	}
	return `{"ref":"main","commits":[` + strings.Join(commits, ",") + `]}`
}

func TestAPayloadThatFitsPassesUnchanged(t *testing.T) {
	batch, contents := process(t, chunkerOf(t, `path: commits`), service.NewMessage([]byte(pushes(3))))
	require.Equal(t, []string{pushes(3)}, contents)
	_, chunked := batch[0].MetaGet(testengine.MetaChunkMode)
	require.False(t, chunked)
}

func TestALargePayloadIsCutBetweenRecordsAndKeepsItsMetadata(t *testing.T) {
	c := chunkerOf(t, "path: commits\nmax_bytes: 200B")
	batch, contents := process(t, c, with(service.NewMessage([]byte(pushes(10))), "X-GitHub-Event", "push"))
	var joined []json.RawMessage
	for i, m := range batch {
		require.LessOrEqual(t, len(contents[i]), 200)
		var part struct {
			Ref     string
			Commits []json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(contents[i]), &part))
		require.Equal(t, "main", part.Ref)
		first, _ := message.Int(m, testengine.MetaChunkFirstIndex)
		require.EqualValues(t, len(joined), first)
		joined = append(joined, part.Commits...)
		require.Equal(t, fmt.Sprintf("records %d of %d push", i, len(batch)),
			fmt.Sprintf("%s %s of %s %s", message.Text(m, "chunk_mode"), message.Text(m, "chunk_index"), message.Text(m, "chunk_count"), message.Text(m, "X-GitHub-Event")))
	}
	require.Len(t, joined, 10)
}

func TestARecordLongerThanTheLimitIsCutByBytes(t *testing.T) {
	body := `{"commits":["` + strings.Repeat("x", 300) + `"]}`
	c := chunkerOf(t, "path: commits\nmax_bytes: 200B\npayload_id: ${! @delivery }")
	batch, contents := process(t, c, with(service.NewMessage([]byte(body)), "delivery", "d-1"))
	require.Equal(t, body, strings.Join(contents, ""))
	require.Equal(t, "bytes d-1 316", fmt.Sprintf("%s %s %s", message.Text(batch[1], "chunk_mode"), message.Text(batch[1], "payload_id"), message.Text(batch[1], "payload_bytes")))
}

func upload(contentType, encoding string, body []byte) *service.Message {
	return with(service.NewMessage(body), testengine.MetaKind, string(testengine.KindUpload),
		testengine.MetaContentType, contentType, testengine.MetaContentEncoding, encoding, testengine.MetaUploadID, "up_1")
}

func form(data []byte) []byte {
	var b bytes.Buffer
	b.WriteString("--xx\r\nContent-Disposition: form-data; name=\"data\"; filename=\"r.json\"\r\n\r\n")
	b.Write(data)
	b.WriteString("\r\n--xx\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\njson\r\n--xx--\r\n")
	return b.Bytes()
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestUploadsAreCutByTheirBodyAlone(t *testing.T) {
	body := bodies.Generate(1, bodies.Std)
	var cuts [][]string
	for _, c := range []struct {
		name, yaml string
		message    *service.Message
	}{
		{"plain", ``, upload("application/json", "", body)},
		{"with other settings", "max_bytes: 100kB\nmode: records\npath: elsewhere", upload("application/json", "", body)},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch, contents := process(t, chunkerOf(t, c.yaml), c.message)
			require.Greater(t, len(batch), 3)
			for _, content := range contents {
				require.LessOrEqual(t, len(content), uploadLimit)
			}
			cuts = append(cuts, contents)
		})
	}
	require.Equal(t, cuts[0], cuts[1])
}

func TestPackedUploadsAndFormsAreCutBetweenRecords(t *testing.T) {
	body := bodies.Generate(1, bodies.Std)
	for _, c := range []struct {
		name    string
		message *service.Message
	}{
		{"a form", upload("multipart/form-data; boundary=xx", "", form(body))},
		{"a packed form", upload("multipart/form-data; boundary=xx", "gzip", packed(t, form(bodies.Generate(1, bodies.Big))))},
		{"packed JSON", upload("application/json", "gzip", packed(t, bodies.Generate(1, bodies.Big)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch, contents := process(t, chunkerOf(t, ``), c.message)
			executions := 0
			for i, m := range batch {
				require.Equal(t, modeRecords, message.Text(m, testengine.MetaChunkMode))
				require.Empty(t, message.Text(m, testengine.MetaContentEncoding))
				require.LessOrEqual(t, len(contents[i]), uploadLimit)
				executions += strings.Count(contents[i], `"failure_reason":`)
			}
			require.Equal(t, 5000, executions)
		})
	}
}

func TestOtherKindsPass(t *testing.T) {
	c := chunkerOf(t, "max_bytes: 64B")
	batch, _ := process(t, c, with(service.NewMessage(bytes.Repeat([]byte("x"), 100)), testengine.MetaKind, string(testengine.KindChange)))
	require.Len(t, batch, 1)
}

func TestAVeryLargePayloadIsLeftInACache(t *testing.T) {
	resources := service.MockResourcesOptAddCache("store")
	c := chunkerOf(t, "max_bytes: 64B\nclaim_check: { cache: store, threshold: 1kB }", resources)
	body := pushes(100)
	batch, contents := process(t, c, service.NewMessage([]byte(body)))
	require.Len(t, batch, 1)
	require.Less(t, len(contents[0]), 100)
	stored, err := c.claims.get(t.Context(), message.Text(batch[0], testengine.MetaClaimCheck))
	require.NoError(t, err)
	require.Equal(t, body, string(stored))
}

// A delivery's id is a header, and who has overheard a signed webhook can write any: a cache of files must not lead him out of its folder.
func TestAClaimStaysInItsCache(t *testing.T) {
	for _, id := range []string{"../outside", "/etc/passwd", "a/../../b", ".", "..", ".hidden", "a\x00b", strings.Repeat("x", 300), "tête"} {
		c := chunkerOf(t, "max_bytes: 64B\npayload_id: ${! @delivery }\nclaim_check: { cache: store, threshold: 1kB }", service.MockResourcesOptAddCache("store"))
		batch, _ := process(t, c, with(service.NewMessage([]byte(pushes(100))), "delivery", id))
		key := message.Text(batch[0], testengine.MetaClaimCheck)
		require.Regexp(t, `^[0-9a-f]{32}$`, key, id)
		stored, err := c.claims.get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, pushes(100), string(stored))
		_, err = c.claims.get(t.Context(), id)
		require.ErrorIs(t, err, service.ErrKeyNotFound, "nor does a reader go there whom a record sends")
	}
	c := chunkerOf(t, "max_bytes: 64B\npayload_id: ${! @delivery }\nclaim_check: { cache: store, threshold: 1kB }", service.MockResourcesOptAddCache("store"))
	batch, _ := process(t, c, with(service.NewMessage([]byte(pushes(100))), "delivery", "72d3162e-cc78-11e3"))
	require.Equal(t, "72d3162e-cc78-11e3", message.Text(batch[0], testengine.MetaClaimCheck))
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ yaml, reason string }{
		{"max_bytes: much", `reading max_bytes: "much" is no size such as 32MiB`},
		{"max_bytes: 1B", `reading max_bytes: "1B" is no size between 64 B and 2.0 GiB`},
		{"claim_check: { cache: none }", `reading claim_check.cache: there is no cache "none"`},
	} {
		conf, err := chunkSpec().ParseYAML(c.yaml, nil)
		require.NoError(t, err)
		_, err = chunkerFromParsed(conf, service.MockResources())
		require.EqualError(t, err, c.reason)
	}
}
