-- +goose Up

-- The keys of an account that are not revoked. An account can have many revoked ones.
CREATE INDEX keys_current ON keys (account_id, id) WHERE revoked_at = 0;
