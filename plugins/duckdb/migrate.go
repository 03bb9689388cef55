package duckdb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version. Migrations are never edited.
func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	store, err := database.NewStoreFromQuerier("schema_versions", dialect{})
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectCustom, db, folder, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	return nil
}

// dialect teaches goose the DuckDB it does not know.
type dialect struct{}

// CreateTable makes the table of versions.
func (dialect) CreateTable(table string) string {
	return `CREATE TABLE ` + table + ` (
		version_id BIGINT PRIMARY KEY,
		is_applied BOOLEAN NOT NULL,
		tstamp TIMESTAMP NOT NULL DEFAULT now()::TIMESTAMP
	)`
}

// TableExists asks whether the table of versions is there.
func (dialect) TableExists(table string) string {
	return `SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = '` + table + `'`
}

// InsertVersion notes that a migration was applied.
func (dialect) InsertVersion(table string) string {
	return `INSERT INTO ` + table + ` (version_id, is_applied) VALUES ($1, $2)`
}

// DeleteVersion notes that a migration was taken back.
func (dialect) DeleteVersion(table string) string {
	return `DELETE FROM ` + table + ` WHERE version_id = $1`
}

// GetMigrationByVersion reads one version.
func (dialect) GetMigrationByVersion(table string) string {
	return `SELECT tstamp, is_applied FROM ` + table + ` WHERE version_id = $1`
}

// ListMigrations reads all versions, the newest first.
func (dialect) ListMigrations(table string) string {
	return `SELECT version_id, is_applied FROM ` + table + ` ORDER BY version_id DESC`
}

// GetLatestVersion reads the newest version.
func (dialect) GetLatestVersion(table string) string {
	return `SELECT max(version_id) FROM ` + table
}
