-- +goose Up

-- The indexes of searches: each has the rows of one condition in the order of pages. Names are
-- indexed with A to Z in lower case, by their bytes.
CREATE INDEX accounts_name ON accounts (lower(CAST(name AS IDTEXT)), id);
CREATE INDEX accounts_plan ON accounts (plan, id);
CREATE INDEX accounts_status ON accounts (status, id);
CREATE INDEX accounts_plan_status ON accounts (plan, status, id);
CREATE INDEX keys_name ON keys (lower(CAST(name AS IDTEXT)), id);
CREATE INDEX keys_unrevoked ON keys (id) WHERE revoked_at = 0;
CREATE INDEX keys_expiring ON keys (id) WHERE revoked_at = 0 AND expires_at > 0;
CREATE INDEX keys_revoked ON keys (id) WHERE revoked_at > 0;
CREATE INDEX secrets_first ON secrets (first, key_id);
CREATE INDEX secrets_last ON secrets (last, key_id);
CREATE INDEX changes_kind ON changes (kind, seq);
CREATE INDEX changes_actor ON changes (actor_id, seq);
CREATE INDEX changes_at ON changes (at, seq);
