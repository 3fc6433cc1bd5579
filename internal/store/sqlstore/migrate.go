package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. It fails if the schema is of a newer version of
// the program.
func (s *Store) migrate(ctx context.Context) error {
	ctx = dbconn.WithoutTimeout(ctx)
	release, err := lockMigrations(ctx, s.writer, s.prelude)
	if err != nil {
		return err
	}
	defer release()
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(s.goose, s.writer, folder,
		goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_version"))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > known {
		return fmt.Errorf("the database has schema %d, written by a newer version of this program, which knows schemas up to %d: run that version, or restore a backup made before it", current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// lockMigrations runs the prelude on a connection of its own, which keeps the session
// locks until release.
func lockMigrations(ctx context.Context, db *sql.DB, prelude []string) (release func(), err error) {
	if len(prelude) == 0 {
		return func() {}, nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare to migrate: %w", err)
	}
	// The locks end with the connection.
	release = func() { dbconn.Discard(conn) }
	for _, statement := range prelude {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			release()
			return nil, fmt.Errorf("prepare to migrate: %w", err)
		}
	}
	return release, nil
}
