-- +goose Up

-- Which server, on which timeline, the incarnation belongs to. When the
-- database finds itself on another, its history may have lost its end.
ALTER TABLE cluster ADD COLUMN origin TEXT NOT NULL DEFAULT '';
