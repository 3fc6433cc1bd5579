-- +goose Up

-- Failed attempts at passwords, codes and links, counted over all nodes. The name is a SHA-256:
-- the table holds no addresses. A row is deleted a day after the last attempt.
CREATE TABLE attempts (
    scope TEXT NOT NULL,
    name  BYTEA NOT NULL,
    count BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX attempts_at ON attempts (at);

-- Browsers in which a member signed in before, by the SHA-256 of their cookie.
CREATE TABLE browsers (
    id        BYTEA NOT NULL,
    member_id IDTEXT NOT NULL REFERENCES members (id),
    seen_at   BIGINT NOT NULL,
    PRIMARY KEY (id, member_id)
);
CREATE INDEX browsers_member ON browsers (member_id, seen_at);
CREATE INDEX browsers_seen ON browsers (seen_at);
