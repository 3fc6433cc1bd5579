-- One text for SQLite and PostgreSQL. IDTEXT is text that is compared and ordered byte
-- for byte: a domain on PostgreSQL, TEXT affinity by its name on SQLite. Times are Unix
-- milliseconds, 0 for never.

-- +goose Up
CREATE TABLE cluster (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    incarnation IDTEXT NOT NULL
);

-- The only row is updated first by every change. Its lock gives numbers the order of
-- commits, and a rollback leaves no gap.
CREATE TABLE clock (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO clock (one, seq) VALUES (1, 0);

CREATE TABLE changes (
    seq           BIGINT PRIMARY KEY,
    at            BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    actor_kind    TEXT NOT NULL,
    actor_id      TEXT NOT NULL,
    actor_name    TEXT NOT NULL,
    actor_address TEXT NOT NULL,
    actor_agent   TEXT NOT NULL,
    account_id    IDTEXT NOT NULL,
    key_id        IDTEXT NOT NULL,
    member_id     IDTEXT NOT NULL,
    detail        TEXT NOT NULL,
    token         IDTEXT UNIQUE
);
CREATE INDEX changes_account ON changes (account_id, seq);
CREATE INDEX changes_key ON changes (key_id, seq);

CREATE TABLE accounts (
    id           IDTEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    plan         TEXT NOT NULL,
    status       TEXT NOT NULL,
    status_since BIGINT NOT NULL,
    cadence      TEXT NOT NULL,
    cycle_anchor BIGINT NOT NULL,
    entitlements TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    seq          BIGINT NOT NULL
);
CREATE INDEX accounts_seq ON accounts (seq);

CREATE TABLE keys (
    id         IDTEXT PRIMARY KEY,
    account_id IDTEXT NOT NULL REFERENCES accounts (id),
    name       TEXT NOT NULL,
    limits     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    seq        BIGINT NOT NULL
);
CREATE INDEX keys_account ON keys (account_id, id);
CREATE INDEX keys_seq ON keys (seq);

CREATE TABLE secrets (
    digest     BYTEA PRIMARY KEY,
    key_id     IDTEXT NOT NULL REFERENCES keys (id),
    number     BIGINT NOT NULL,
    first      TEXT NOT NULL,
    last       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    UNIQUE (key_id, number)
);

CREATE TABLE members (
    id            IDTEXT PRIMARY KEY,
    account_id    IDTEXT NOT NULL REFERENCES accounts (id),
    email         TEXT NOT NULL,
    email_folded  IDTEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL
);
CREATE INDEX members_account ON members (account_id, id);

CREATE TABLE invitations (
    code       BYTEA PRIMARY KEY,
    account_id IDTEXT NOT NULL,
    email      TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);

CREATE TABLE sessions (
    id         BYTEA PRIMARY KEY,
    member_id  IDTEXT NOT NULL REFERENCES members (id),
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL
);
CREATE INDEX sessions_member ON sessions (member_id, created_at);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE nodes (
    id          IDTEXT NOT NULL,
    epoch       IDTEXT NOT NULL,
    incarnation IDTEXT NOT NULL,
    version     TEXT NOT NULL,
    applied     BIGINT NOT NULL,
    lease       BIGINT NOT NULL,
    keys        BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (id, epoch)
);

-- Running totals of one epoch of one node, never differences.
CREATE TABLE usage (
    account_id     IDTEXT NOT NULL,
    hour           BIGINT NOT NULL,
    key_id         IDTEXT NOT NULL,
    family         IDTEXT NOT NULL,
    cost_key       IDTEXT NOT NULL,
    reason         IDTEXT NOT NULL,
    epoch          IDTEXT NOT NULL,
    calls          BIGINT NOT NULL,
    credits        BIGINT NOT NULL,
    purchased      BIGINT NOT NULL,
    overage        BIGINT NOT NULL,
    overage_micros BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour, key_id, family, cost_key, reason, epoch)
);

CREATE TABLE last_uses (
    key_id     IDTEXT PRIMARY KEY,
    account_id IDTEXT NOT NULL,
    at         BIGINT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    operation  TEXT NOT NULL
);
CREATE INDEX last_uses_account ON last_uses (account_id);
