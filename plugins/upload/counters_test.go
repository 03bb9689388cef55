package upload

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

func TestLabelsNeverQuoteABody(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"where a body breaks is no label", &assemble.SyntaxError{Format: "JSON", Offset: 17, Reason: "it ends too early"}, "the JSON is broken"},
		{"nor is what a packed body holds", &unpack.Error{Encoding: unpack.Gzip, Offset: 9, Cause: errors.New("secret")}, "the gzip is broken"},
		{"nor a content type somebody invents", fmt.Errorf("content type %q: %w", "secret", formats.ErrContentType), formats.ErrContentType.Error()},
		{"nor a format", fmt.Errorf("format %q: %w", "secret", formats.ErrFormat), formats.ErrFormat.Error()},
		{"nor an encoding", fmt.Errorf("content encoding %q: %w", "secret", errEncoding), errEncoding.Error()},
		{"a bomb has a sentence of its own", unpack.ErrTooLarge, "the body unpacks to more bytes than allowed"},
		{"everything else has one together", errors.New("secret"), "it could not be read"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, cause(test.err)) })
	}
}

func TestLabelValuesAreBounded(t *testing.T) {
	words := &labels{known: map[[2]string]bool{}}
	values := map[[2]string]bool{}
	for range 2 {
		for i := range 3 * maxWords {
			field, reason := words.bound("tags", strconv.Itoa(i))
			values[[2]string{field, reason}] = true
		}
	}
	require.Len(t, values, maxWords+1)
	require.True(t, values[[2]string{"other", "other"}])
}
