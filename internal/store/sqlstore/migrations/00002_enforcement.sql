-- +goose Up

-- The number of a node's renewals. It shows, without a clock, whether a node has renewed
-- since it was listed.
ALTER TABLE nodes ADD COLUMN beats BIGINT NOT NULL DEFAULT 0;

-- The change that created the key. With seq, the last change, it finds changes of many
-- keys in the history of each key.
ALTER TABLE keys ADD COLUMN first_seq BIGINT NOT NULL DEFAULT 0;
