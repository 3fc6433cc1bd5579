-- +goose Up

-- The number and the sum of the events of a row; NULL: none. exported is 1 if the sum equals
-- the row; a change of a total sets it to 0.
ALTER TABLE usage ADD COLUMN exported BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN exports BIGINT;
ALTER TABLE usage ADD COLUMN exported_calls BIGINT;
ALTER TABLE usage ADD COLUMN exported_credits BIGINT;
ALTER TABLE usage ADD COLUMN exported_purchased BIGINT;
ALTER TABLE usage ADD COLUMN exported_overage BIGINT;
ALTER TABLE usage ADD COLUMN exported_overage_micros BIGINT;
CREATE INDEX usage_unexported ON usage (hour) WHERE exported = 0 AND reason = '' AND span = 1;

-- Staged events. A row is deleted when its delivery is confirmed.
CREATE TABLE usage_exports (
    id             IDTEXT PRIMARY KEY,
    account_id     IDTEXT NOT NULL,
    hour           BIGINT NOT NULL,
    key_id         IDTEXT NOT NULL,
    family         IDTEXT NOT NULL,
    cost_key       IDTEXT NOT NULL,
    calls          BIGINT NOT NULL,
    credits        BIGINT NOT NULL,
    purchased      BIGINT NOT NULL,
    overage        BIGINT NOT NULL,
    overage_micros BIGINT NOT NULL
);
CREATE INDEX usage_exports_hour ON usage_exports (hour, id);

-- from_hour is the first exported hour; NULL: the export is off.
CREATE TABLE export_state (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    from_hour    BIGINT,
    delivered    BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT NOT NULL DEFAULT 0,
    failed_at    BIGINT NOT NULL DEFAULT 0,
    failure      TEXT NOT NULL DEFAULT ''
);
