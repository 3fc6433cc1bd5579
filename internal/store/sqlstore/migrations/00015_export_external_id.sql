-- +goose Up

-- The account's external id when the event was staged, so that a repeated event has the same
-- content after a change of the id. '' for none.
ALTER TABLE usage_exports ADD COLUMN external_id TEXT NOT NULL DEFAULT '';
