package testengine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		sentence, text, want string
		most                 int
	}{
		{"a short text stays", "abc", "abc", 3},
		{"a long one loses its end", "abcd", "abc", 3},
		{"no character is halved", "aéé", "aé", 4},
		{"where none fits, nothing is left", "é", "", 1},
		{"nothing stays nothing", "", "", 0},
	} {
		require.Equal(t, c.want, CutText(c.text, c.most), c.sentence)
	}
}
