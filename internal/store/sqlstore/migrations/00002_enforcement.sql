-- +goose Up

-- Counts a node's renewals: it says whether a node that was waited out has
-- come back meanwhile, which no clock can.
ALTER TABLE nodes ADD COLUMN beats BIGINT NOT NULL DEFAULT 0;

-- The change that made the key. Beside seq, the last one, it finds the changes
-- of many keys at once in the history of each.
ALTER TABLE keys ADD COLUMN first_seq BIGINT NOT NULL DEFAULT 0;
