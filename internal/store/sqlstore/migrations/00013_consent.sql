-- +goose Up

-- The terms that the person accepted when they signed up, and the time. Empty and 0 for
-- members who were asked for no consent.
ALTER TABLE members ADD COLUMN consent TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN consent_at BIGINT NOT NULL DEFAULT 0;
