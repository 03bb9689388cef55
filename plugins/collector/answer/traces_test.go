package answer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestTracesAreAnsweredInTheirEncoding(t *testing.T) {
	require.Empty(t, AppendExported(nil, false, RejectedSpans, 0, ""))
	require.JSONEq(t, `{}`, string(AppendExported(nil, true, RejectedSpans, 0, "")))
	require.JSONEq(t, `{"partialSuccess":{"rejectedSpans":"300","errorMessage":"no \"test.execution\""}}`,
		string(AppendExported(nil, true, RejectedSpans, 300, `no "test.execution"`)))

	require.JSONEq(t, `{"partialSuccess":{"rejectedSpans":"0","errorMessage":"lone"}}`, string(AppendExported(nil, true, RejectedSpans, 0, "lone")), "a word about spans that were taken")

	outer, kind, n := protowire.ConsumeTag(AppendExported(nil, false, RejectedSpans, 300, "why"))
	require.Equal(t, []any{protowire.Number(1), protowire.BytesType}, []any{outer, kind})
	partial, _ := protowire.ConsumeBytes(AppendExported(nil, false, RejectedSpans, 300, "why")[n:])
	_, _, n = protowire.ConsumeTag(partial)
	rejected, size := protowire.ConsumeVarint(partial[n:])
	require.Equal(t, uint64(300), rejected)
	number, _, tag := protowire.ConsumeTag(partial[n+size:])
	require.Equal(t, protowire.Number(2), number)
	why, _ := protowire.ConsumeString(partial[n+size+tag:])
	require.Equal(t, "why", why)

	number, _, tag = protowire.ConsumeTag(AppendStatus(nil, false, "broken"))
	require.Equal(t, protowire.Number(2), number)
	message, _ := protowire.ConsumeString(AppendStatus(nil, false, "broken")[tag:])
	require.Equal(t, "broken", message)
	require.JSONEq(t, `{"message":"broken"}`, string(AppendStatus(nil, true, "broken")))
}
