-- +goose Up

-- The vendor's own ids, NULL for none, and pairs as JSON text, '' for none. No decision
-- about a call needs them.
ALTER TABLE accounts ADD COLUMN external_id IDTEXT;
ALTER TABLE accounts ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN external_id IDTEXT;
ALTER TABLE keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX accounts_external ON accounts (external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX keys_external ON keys (external_id) WHERE external_id IS NOT NULL;
