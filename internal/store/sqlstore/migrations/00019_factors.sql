-- +goose Up

-- Passkeys: the public keys of authenticators, by the id of their credential. A removed passkey
-- keeps its row without name and key, because rows that are part of the change log are never deleted.
CREATE TABLE passkeys (
    id              IDTEXT PRIMARY KEY,
    member_id       IDTEXT NOT NULL REFERENCES members (id),
    credential      BYTEA NOT NULL UNIQUE,
    public_key      BYTEA NOT NULL,
    sign_count      BIGINT NOT NULL,
    backup_eligible BIGINT NOT NULL,
    backed_up       BIGINT NOT NULL,
    aaguid          TEXT NOT NULL,
    transports      TEXT NOT NULL,
    name            TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    used_at         BIGINT NOT NULL,
    suspected_at    BIGINT NOT NULL,
    removed_at      BIGINT NOT NULL
);
CREATE INDEX passkeys_member ON passkeys (member_id, id);

-- The authenticator app of a member, with the newest time step whose code was accepted.
CREATE TABLE factors (
    member_id    IDTEXT PRIMARY KEY REFERENCES members (id),
    secret       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    last_step    BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    member_id IDTEXT NOT NULL REFERENCES members (id),
    hash      BYTEA NOT NULL,
    used_at   BIGINT NOT NULL,
    PRIMARY KEY (member_id, hash)
);

-- When the person last proved a second factor or a passkey in this session.
ALTER TABLE sessions ADD COLUMN factor_at BIGINT NOT NULL DEFAULT 0;
