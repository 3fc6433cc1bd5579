-- +goose Up

-- The epochs that have flushed usage. A closed epoch has flushed all its totals: its usage
-- is final, and further flushes are repeats. Rows are kept forever, so that late repeats are
-- recognized.
CREATE TABLE usage_epochs (
    epoch  IDTEXT PRIMARY KEY,
    closed BIGINT NOT NULL
);

-- The number of hours in a row: 1; 24 for a day, under its first hour; 0 for the purchased
-- credits of all deleted days. Settled reservations are never rolled up.
ALTER TABLE usage ADD COLUMN span BIGINT NOT NULL DEFAULT 1;
CREATE INDEX usage_hourly ON usage (hour, account_id) WHERE span = 1 AND epoch <> 'reservations';
CREATE INDEX usage_daily ON usage (hour, account_id) WHERE span = 24;

-- Work that one node at a time does for all nodes.
CREATE TABLE claims (
    name   IDTEXT PRIMARY KEY,
    holder IDTEXT NOT NULL,
    until  BIGINT NOT NULL
);
