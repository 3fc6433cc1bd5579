-- +goose Up

-- A starting node reads the charges of the cycle and all used purchased credits. With
-- these indexes, its time does not grow with the age of the usage.
CREATE INDEX usage_charged ON usage (hour) WHERE credits > 0;
CREATE INDEX usage_purchased ON usage (account_id, hour) WHERE purchased > 0;
