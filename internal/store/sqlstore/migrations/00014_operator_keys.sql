-- +goose Up

-- Keys of the operator API, which belong to no account. Roles and networks are JSON text, ''
-- for no networks. The last use is written at intervals and is not part of the change log.
CREATE TABLE operator_keys (
    id           IDTEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    roles        TEXT NOT NULL,
    networks     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    used_at      BIGINT NOT NULL DEFAULT 0,
    used_address TEXT NOT NULL DEFAULT ''
);
CREATE INDEX operator_keys_seq ON operator_keys (seq);

-- One row for each generation. The digests of replaced secrets stay, so that every node keeps
-- a tombstone of them for restores.
CREATE TABLE operator_secrets (
    digest     BYTEA PRIMARY KEY,
    key_id     IDTEXT NOT NULL REFERENCES operator_keys (id),
    number     BIGINT NOT NULL,
    first      TEXT NOT NULL,
    last       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    UNIQUE (key_id, number)
);

ALTER TABLE changes ADD COLUMN operator_key_id IDTEXT NOT NULL DEFAULT '';
