package enrich

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func ownersChange(org, suite, body string) *service.Message {
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindChange, &testengine.Change{ID: "change_1", Org: org, Suite: suite, Type: testengine.ChangeOwners, Body: testengine.RawJSON(body)})
	return m
}

func TestOwnersThatCISendsAreTheSuites(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "owners")
	config := "owners_file: " + write(t, "*.rb everybody\n") + "\nowners_folder: " + folder
	owner := func(e *enricher, suite string) string {
		b := block()
		b.Upload.Suite = suite
		return enriched(t, e, b).Owner(1)
	}
	e := start(t, config)
	require.Equal(t, "everybody", owner(e, "web"))
	for _, change := range []*service.Message{
		ownersChange("acme", "web", `"*.rb payments\n"`),
		ownersChange("acme", "web", `7`), // leaves all as it was
		ownersChange("..", "..", `"*.rb x\n"`),
	} {
		batch, err := e.Process(t.Context(), change)
		require.NoError(t, err)
		require.Same(t, change, batch[0], "changes pass")
	}
	require.Equal(t, "payments", owner(e, "web"))
	require.Equal(t, "everybody", owner(e, "api"), "another suite has what the pipeline says")
	require.Equal(t, "payments", owner(start(t, config), "web"), "a new process remembers")
}

// Files are written beside themselves under a name that ends in .tmp, and what ends so is passed over at a start.
func TestASuiteWhoseNameLooksLikeATemporaryFileKeepsItsOwners(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "owners")
	e := start(t, "owners_folder: "+folder)
	names := []string{"web.tmp", "web", ".tmp", "web.tmp.tmp"}
	for _, suite := range names {
		_, err := e.Process(t.Context(), ownersChange("acme.tmp", suite, `"*.rb `+"team"+suite+`\n"`))
		require.NoError(t, err)
	}
	again := start(t, "owners_folder: "+folder)
	for _, suite := range names {
		b := block()
		b.Upload.Org, b.Upload.Suite = "acme.tmp", suite
		require.Equal(t, "team"+suite, enriched(t, again, b).Owner(1))
	}
}
