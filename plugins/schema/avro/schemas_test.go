package avro

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestEverySchemaExplainsEveryField(t *testing.T) {
	for _, record := range Records() {
		for _, version := range record.Versions() {
			t.Run(record.String(), func(t *testing.T) {
				_, err := avro.Parse(version.Text)
				require.NoError(t, err)
				walkRecords(parseJSON(t, version.Text), func(r object) {
					require.NotEmpty(t, r["doc"], "%s says nothing about itself", r["name"])
					fields, _ := r["fields"].([]any)
					for _, f := range fields {
						field := f.(object)
						name := r["name"].(string) + "." + field["name"].(string)
						doc, _ := field["doc"].(string)
						require.True(t, strings.HasSuffix(doc, "."), "%s: its doc is not a sentence", name)
						if kind, isObject := field["type"].(object); !isObject || kind["type"] != "record" {
							require.Contains(t, field, "default", "%s: without a default it can never be dropped", name)
						}
					}
				})
			})
		}
	}
}

// The fingerprints of released layouts. A change of one of these is a change of
// what lies in people's topics: make a new version instead.
var layouts = map[uint32]string{
	0x7e570101: "8011c91079363d95",
	0x7e570201: "4720c204c4def892",
	0x7e570301: "67a28d7b78728ff2",
	0x7e570401: "9842a1b773b67971",
	0x7e570501: "b78b73e92d952222",
}

func TestReleasedLayoutsDoNotChange(t *testing.T) {
	for _, record := range Records() {
		for _, version := range record.Versions() {
			sum := hex.EncodeToString(avro.MustParse(version.Text).Fingerprint(sha256.New()))[:16]
			require.Equal(t, layouts[version.ID()], sum, "%s version %d, id %#x", record, version.Number, version.ID())
		}
	}
}

func TestTheCurrentSchemasLieWherePeopleLook(t *testing.T) {
	for _, record := range Records() {
		found, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "schemas", record.String()+".avsc"))
		require.NoError(t, err)
		require.Equal(t, record.Current().Text, string(found), "run make docs")
	}
}

func TestBuiltInIDs(t *testing.T) {
	require.Equal(t, uint32(0x7e570101), RecordUpload.Current().ID())
	require.Equal(t, uint32(0x7e570201), RecordBlock.Current().ID())
	require.Equal(t, uint32(0x7e570301), RecordVerdict.Current().ID())
	require.Equal(t, uint32(0x7e570401), RecordRun.Current().ID())
	require.Equal(t, uint32(0x7e570501), RecordUploadReport.Current().ID())
}

func TestEveryKindHasARecord(t *testing.T) {
	for kind, want := range map[testengine.Kind]Record{
		testengine.KindUpload: RecordUpload, testengine.KindDuplicate: RecordUpload, testengine.KindChange: RecordUpload,
		testengine.KindTick: RecordUpload, testengine.KindBlock: RecordBlock, testengine.KindVerdict: RecordVerdict,
		testengine.KindRun: RecordRun, testengine.KindUploadReport: RecordUploadReport,
	} {
		record, ok := RecordOf(kind)
		require.True(t, ok)
		require.Equal(t, want, record)
	}
	_, ok := RecordOf("song")
	require.False(t, ok)
}

func parseJSON(t *testing.T, text string) (parsed any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &parsed))
	return parsed
}

// walkRecords calls f for every named type inside a schema that has fields.
func walkRecords(node any, f func(record object)) {
	switch v := node.(type) {
	case object:
		if v["type"] == "record" {
			f(v)
		}
		for _, child := range v {
			walkRecords(child, f)
		}
	case []any:
		for _, child := range v {
			walkRecords(child, f)
		}
	}
}
