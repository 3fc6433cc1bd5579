-- +goose Up

-- The sign-ins of people at providers. The subject is the provider's id of the person; granted is a
-- JSON list of the accounts whose membership follows the provider's groups or domains.
CREATE TABLE identities (
    provider   IDTEXT NOT NULL,
    subject    IDTEXT NOT NULL,
    member_id  IDTEXT NOT NULL REFERENCES members (id),
    email      TEXT NOT NULL,
    granted    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX identities_member ON identities (member_id, provider);
