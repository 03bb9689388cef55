package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTemplatesParse(t *testing.T) {
	_, err := NewRenderer()
	require.NoError(t, err)
}
