package signature

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryLibraryFolderHasWhatItsRowHasInCommon(t *testing.T) {
	for _, row := range libraryFolders {
		for _, part := range row.parts {
			require.Contains(t, part, row.common)
			require.True(t, inLibrary("at "+part), part)
		}
	}
}
