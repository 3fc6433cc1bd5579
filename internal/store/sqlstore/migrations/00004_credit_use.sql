-- +goose Up

-- What a starting node reads: this cycle's charges, and purchased credits ever
-- used. Neither grows with how long usage is kept.
CREATE INDEX usage_charged ON usage (hour) WHERE credits > 0;
CREATE INDEX usage_purchased ON usage (account_id, hour) WHERE purchased > 0;
