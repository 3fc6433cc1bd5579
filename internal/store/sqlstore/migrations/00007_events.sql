-- +goose Up

-- Events of accounts. If several nodes see one occurrence, the token makes it one event.
CREATE TABLE events (
    id         IDTEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    account_id IDTEXT NOT NULL,
    at         BIGINT NOT NULL,
    data       TEXT NOT NULL,
    token      IDTEXT NOT NULL UNIQUE
);
CREATE INDEX events_account ON events (account_id, id);
CREATE INDEX events_at ON events (at);

-- Deliveries of each event to each channel. During an attempt next_at is the end of its
-- claim; then another node may repeat the attempt.
CREATE TABLE deliveries (
    event_id IDTEXT NOT NULL REFERENCES events (id),
    channel  IDTEXT NOT NULL,
    state    TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at  BIGINT NOT NULL,
    tried_at BIGINT NOT NULL,
    outcome  TEXT NOT NULL,
    PRIMARY KEY (event_id, channel)
);
CREATE INDEX deliveries_due ON deliveries (channel, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_dead ON deliveries (channel, event_id) WHERE state = 'dead';
