package duckdb

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileOfAnOlderStorageVersionIsGoneOnWith(t *testing.T) {
	path := databasePath(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	older, err := sql.Open("duckdb", path+"?storage_compatibility_version=v0.10.2")
	require.NoError(t, err)
	_, err = older.ExecContext(t.Context(), "CREATE TABLE before AS SELECT 1")
	require.NoError(t, err)
	require.NoError(t, older.Close())

	for offset := range int64(2) { // The second time it is opened again.
		d := newDatabase(testSettings(path), nil)
		require.NoError(t, d.write(t.Context(), newRecord(offset, 300).messages(100)))
		require.Equal(t, 300*(offset+1), count(t, d, "SELECT count(*) FROM executions"))
		require.NoError(t, d.Close(t.Context()))
	}
}

func TestRowGroupsWhoseRowsAreDeletedGo(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	groups := func() int64 {
		return count(t, d, "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('executions_fact')")
	}
	checkpoint := func() {
		_, err := d.current.Load().ExecContext(t.Context(), "CHECKPOINT")
		require.NoError(t, err)
	}
	for offset := range int64(6) { // Each checkpoint ends a row group.
		require.NoError(t, d.write(t.Context(), newRecord(offset, 3000).messages(2000)))
		checkpoint()
	}
	before := groups()
	require.Less(t, before, int64(6), "some are joined at each checkpoint")
	_, err := d.current.Load().ExecContext(t.Context(), "DELETE FROM executions_fact")
	require.NoError(t, err)
	checkpoint()
	require.Zero(t, groups())
}
