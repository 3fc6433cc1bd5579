package sqlstore

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// TestOrigin: the origin that a connection noted must be that of its server, also after a
// promotion. Otherwise nodes would serve the state of a lost history.
func TestOrigin(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	standby := server.Standby(t)
	connect := func(server *pgtest.Server) (read func(expression string) string) {
		conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		if _, err := conn.Exec(t.Context(), noteOrigin); err != nil {
			t.Fatal(err)
		}
		return func(expression string) (text string) {
			if err := conn.QueryRow(t.Context(), "SELECT "+expression).Scan(&text); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	const note = `current_setting('toksta.origin', true)`
	primary, kept := connect(server), connect(standby)
	asked := primary(readOrigin)
	if noted, origin := primary(note), primary(postgresOrigin); noted != asked || origin != asked {
		t.Errorf("noted %q, origin %q, want %q", noted, origin, asked)
	}
	primary(`set_config('toksta.origin', '', false)`)
	if origin := primary(postgresOrigin); origin != asked {
		t.Errorf("after a reset origin %q, want %q", origin, asked)
	}
	if noted := kept(note); noted != "" {
		t.Errorf("a connection to a standby noted %q", noted)
	}
	kept(`CAST(pg_promote() AS TEXT)`)
	if origin := kept(postgresOrigin); origin != kept(readOrigin) || origin == asked {
		t.Errorf("a standby of %q was promoted and has the origin %q", asked, origin)
	}
}
