-- +goose Up

-- One row for each account with entries. A decision about the account's credits locks it
-- first, so that decisions are made one after another. Entries are numbered from 1,
-- without gaps.
CREATE TABLE credit_accounts (
    account_id IDTEXT PRIMARY KEY REFERENCES accounts (id),
    entries    BIGINT NOT NULL
);

-- credits is the sum of included, purchased and overage credits. Only the charged amounts
-- and the state of a row change.
CREATE TABLE reservations (
    id                     IDTEXT PRIMARY KEY,
    account_id             IDTEXT NOT NULL REFERENCES credit_accounts (account_id),
    key_id                 IDTEXT NOT NULL,
    family                 IDTEXT NOT NULL,
    cost_key               IDTEXT NOT NULL,
    hour                   BIGINT NOT NULL,
    credits                BIGINT NOT NULL,
    purchased              BIGINT NOT NULL,
    overage                BIGINT NOT NULL,
    overage_micros         BIGINT NOT NULL,
    charged_credits        BIGINT NOT NULL,
    charged_purchased      BIGINT NOT NULL,
    charged_overage        BIGINT NOT NULL,
    charged_overage_micros BIGINT NOT NULL,
    state                  TEXT NOT NULL,
    created_at             BIGINT NOT NULL,
    expires_at             BIGINT NOT NULL,
    CHECK (0 <= charged_purchased AND charged_purchased <= purchased),
    CHECK (0 <= charged_overage AND charged_overage <= overage),
    CHECK (0 <= charged_overage_micros AND charged_overage_micros <= overage_micros),
    CHECK (0 <= charged_credits - charged_purchased - charged_overage),
    CHECK (charged_credits - charged_purchased - charged_overage <= credits - purchased - overage)
);
CREATE INDEX reservations_open ON reservations (account_id, id) WHERE state = 'open';
CREATE INDEX reservations_due ON reservations (expires_at) WHERE state = 'open';

-- Rows are only ever added.
CREATE TABLE credit_entries (
    id              IDTEXT PRIMARY KEY,
    account_id      IDTEXT NOT NULL REFERENCES credit_accounts (account_id),
    number          BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    credits         BIGINT NOT NULL,
    purchased       BIGINT NOT NULL,
    overage         BIGINT NOT NULL,
    overage_micros  BIGINT NOT NULL,
    reservation_id  IDTEXT NOT NULL,
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    idempotency_key IDTEXT,
    request         IDTEXT NOT NULL,
    UNIQUE (account_id, number),
    UNIQUE (account_id, idempotency_key)
);
CREATE INDEX credit_entries_reservation ON credit_entries (reservation_id, number);

-- Credits that were purchased before this migration become the first entry. JSONTEXT is
-- json on PostgreSQL, TEXT by its name on SQLite.
INSERT INTO credit_accounts (account_id, entries)
SELECT id, 1 FROM accounts WHERE CAST(entitlements AS JSONTEXT) ->> 'purchased_credits' IS NOT NULL;

INSERT INTO credit_entries (id, account_id, number, at, kind, credits, purchased, overage, overage_micros,
    reservation_id, reason, actor, request)
SELECT 'cre_' || substr(a.id, 6), a.id, 1, a.created_at, 'purchase',
    CAST(CAST(a.entitlements AS JSONTEXT) ->> 'purchased_credits' AS BIGINT),
    CAST(CAST(a.entitlements AS JSONTEXT) ->> 'purchased_credits' AS BIGINT),
    0, 0, '', 'bought before the ledger', 'system', ''
FROM accounts a JOIN credit_accounts c ON c.account_id = a.id;
