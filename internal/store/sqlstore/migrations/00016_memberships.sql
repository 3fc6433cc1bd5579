-- +goose Up

-- A person can belong to several accounts. The account moves from the row of the member to a
-- membership with a role; whoever had an account so far owns it.
CREATE TABLE people (
    id            IDTEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    email_folded  IDTEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    verified_at   BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL,
    consent       TEXT NOT NULL,
    consent_at    BIGINT NOT NULL
);
INSERT INTO people (id, email, email_folded, name, password_hash, created_at, verified_at, expires_at, disabled_at, consent, consent_at)
    SELECT id, email, email_folded, name, password_hash, created_at, 0, 0, disabled_at, consent, consent_at FROM members;

CREATE TABLE memberships (
    account_id  IDTEXT NOT NULL REFERENCES accounts (id),
    member_id   IDTEXT NOT NULL REFERENCES people (id),
    role        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    removed_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, member_id)
);
CREATE INDEX memberships_member ON memberships (member_id, account_id);
INSERT INTO memberships (account_id, member_id, role, created_at, disabled_at, removed_at)
    SELECT account_id, id, 'owner', created_at, 0, 0 FROM members;

-- The session names the account that its pages show and how the person signed in. A bound
-- session cannot leave its account.
CREATE TABLE browser_sessions (
    id               BYTEA PRIMARY KEY,
    member_id        IDTEXT NOT NULL REFERENCES people (id),
    account_id       IDTEXT NOT NULL,
    bound            BIGINT NOT NULL,
    method           TEXT NOT NULL,
    provider         TEXT NOT NULL,
    provider_session TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    confirmed_at     BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    address          TEXT NOT NULL,
    agent            TEXT NOT NULL
);
INSERT INTO browser_sessions (id, member_id, account_id, bound, method, provider, provider_session, created_at, confirmed_at, seen_at, expires_at, address, agent)
    SELECT s.id, s.member_id, m.account_id, 0, 'password', '', '', s.created_at, s.created_at, s.seen_at, s.expires_at, s.address, s.agent
    FROM sessions s JOIN members m ON m.id = s.member_id;
DROP TABLE sessions;
DROP TABLE members;
ALTER TABLE people RENAME TO members;
ALTER TABLE browser_sessions RENAME TO sessions;
CREATE INDEX sessions_member ON sessions (member_id, created_at);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- Invitations get an id, with which they are listed and revoked, and the role that they give.
ALTER TABLE invitations ADD COLUMN id IDTEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';
ALTER TABLE invitations ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invitations ADD COLUMN created_by IDTEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX invitations_account ON invitations (account_id, id);

-- Secrets that are used once: links in mails, states of sign-ins by a provider, challenges.
-- Like sessions, they are not part of the change log.
CREATE TABLE tickets (
    id         BYTEA PRIMARY KEY,
    purpose    TEXT NOT NULL,
    member_id  IDTEXT NOT NULL,
    account_id IDTEXT NOT NULL,
    data       TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX tickets_member ON tickets (member_id, purpose);
CREATE INDEX tickets_expires ON tickets (expires_at);

ALTER TABLE accounts ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0;
