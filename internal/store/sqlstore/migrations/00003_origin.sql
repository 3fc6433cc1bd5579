-- +goose Up

-- The server and the timeline of the incarnation. On another server or timeline, the
-- history may have lost its last changes.
ALTER TABLE cluster ADD COLUMN origin TEXT NOT NULL DEFAULT '';
