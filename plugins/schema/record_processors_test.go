package schema

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func processor(t *testing.T, spec *service.ConfigSpec, res *service.Resources,
	step func(context.Context, testengine.RecordCodec, *service.Message) (*service.Message, error), yaml string,
) *recordProcessor {
	t.Helper()
	conf, err := spec.ParseYAML(yaml, nil)
	require.NoError(t, err)
	p, err := newRecordProcessor(conf, res, step)
	require.NoError(t, err)
	return p
}

func TestAMessageTravelsAsARecord(t *testing.T) {
	res := service.MockResources()
	encoder := processor(t, encodeSpec(), res, encode, "{}")
	decoder := processor(t, decodeSpec(), res, decode, "{}")
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindVerdict, &testengine.Verdict{ID: "v", Org: "acme", Suite: "web", Type: testengine.FlakyDetected})
	m.MetaSetMut("kafka_key", "acme/web")

	batch, err := encoder.Process(t.Context(), m)
	require.NoError(t, err)
	require.Len(t, batch, 1)
	data, err := batch[0].AsBytes()
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0x7e, 0x57, 0x03, 0x01}, data[:5])

	stock := service.NewMessage(data) // As a stock input hands it out.
	stock.MetaSetMut("kafka_key", "acme/web")
	batch, err = decoder.Process(t.Context(), stock)
	require.NoError(t, err)
	require.Len(t, batch, 1)
	require.Equal(t, testengine.KindVerdict, message.Kind(batch[0]))
	require.Equal(t, "acme", message.Text(batch[0], testengine.MetaOrg))
	require.Equal(t, "acme/web", message.Text(batch[0], "kafka_key"))
	verdict, err := message.Get[testengine.Verdict](batch[0])
	require.NoError(t, err)
	require.Equal(t, "v", verdict.ID)
}

func TestWhatIsNoRecordIsMarkedAndStays(t *testing.T) {
	res := service.MockResources()
	_, err := processor(t, decodeSpec(), res, decode, "{}").Process(t.Context(), service.NewMessage([]byte(`{"a":1}`)))
	require.ErrorIs(t, err, testengine.ErrCorruptRecord)
	_, err = processor(t, encodeSpec(), res, encode, "{}").Process(t.Context(), service.NewMessage([]byte(`{"a":1}`)))
	require.ErrorContains(t, err, "none of ours")
	_, err = processor(t, encodeSpec(), res, encode, "schemas: nowhere").Process(t.Context(), service.NewMessage([]byte(`{"a":1}`)))
	require.Error(t, err)
}

func TestARecordWaitsForTheRegistry(t *testing.T) {
	away := registryError{context.DeadlineExceeded}
	tries := 0
	waits := func(_ context.Context, _ testengine.RecordCodec, m *service.Message) (*service.Message, error) {
		if tries++; tries < 3 {
			return nil, away
		}
		return m, nil
	}
	p := processor(t, encodeSpec(), service.MockResources(), waits, "{}")
	batch, err := p.Process(t.Context(), service.NewMessage(nil))
	require.NoError(t, err)
	require.Len(t, batch, 1)
	require.Equal(t, 3, tries)

	tries = -1000
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = p.Process(ctx, service.NewMessage(nil))
	require.ErrorIs(t, err, away)
}
