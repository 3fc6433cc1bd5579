-- +goose Up

-- Who has flushed usage. A closed epoch has flushed everything it ever will:
-- its rows are final, and what comes under its name again is a repeat. Rows
-- stay for good, so that no repeat, however late, is counted.
CREATE TABLE usage_epochs (
    epoch  IDTEXT PRIMARY KEY,
    closed BIGINT NOT NULL
);

-- The hours that a row sums: 1; 24 of a day, under its first hour; and 0 for the
-- purchased credits of all days that are kept no more. Settled reservations are
-- never rolled up.
ALTER TABLE usage ADD COLUMN span BIGINT NOT NULL DEFAULT 1;
CREATE INDEX usage_hourly ON usage (hour, account_id) WHERE span = 1 AND epoch <> 'reservations';
CREATE INDEX usage_daily ON usage (hour, account_id) WHERE span = 24;

-- Work that one node at a time does for all.
CREATE TABLE claims (
    name   IDTEXT PRIMARY KEY,
    holder IDTEXT NOT NULL,
    until  BIGINT NOT NULL
);
