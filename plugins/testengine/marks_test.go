package testengine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestMarksSayWhatTheTextsSay(t *testing.T) {
	for _, e := range []testengine.Execution{
		{},
		{Location: "spec/a_spec.rb:3"},
		{File: "spec/a_spec.rb"},
		{Location: "/home/ci/1/spec/a_spec.rb:3", File: "/home/ci/1/spec/a_spec.rb"},
		{File: `C:\ci\1\a_spec.rb`},
	} {
		marked := e
		marked.Mark()
		require.Equal(t, e.PlaceHash(), marked.PlaceHash(), e.File)
		require.Equal(t, e.FileBits(), marked.FileBits(), e.File)
		require.Equal(t, e.File == "", marked.FileBits() == 0, e.File)
		byFile := e
		byFile.MarkFile()
		require.Equal(t, e.FileBits(), byFile.FileBits(), e.File)
		byFile.Mark()
		require.Equal(t, marked, byFile, e.File)
	}
	one, other := testengine.Execution{File: "/home/ci/1/a.rb"}, testengine.Execution{File: "/home/ci/2/a.rb"}
	require.Equal(t, one.FileBits(), other.FileBits(), "absolute paths differ from host to host")
	require.NotEqual(t, one.PlaceHash(), other.PlaceHash())
}

func TestABlockIsMarkedWhenItIsRead(t *testing.T) {
	block := testengine.Block{Upload: &testengine.Upload{}, Executions: []testengine.Execution{{Name: "n", Location: "a.rb:1", File: "a.rb"}}}
	block.Executions[0].Mark()
	raw, err := json.Marshal(&block)
	require.NoError(t, err)
	var back testengine.Block
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, block, back)
}
