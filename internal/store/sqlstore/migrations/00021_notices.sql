-- +goose Up

-- Notices to members about changes, as mails and on a page. If two nodes write one notice, the
-- token makes it one. address is the recipient of a mail that does not go to the address of the
-- member. During an attempt next_at is the end of its claim; then another node may repeat it.
CREATE TABLE notices (
    id         IDTEXT PRIMARY KEY,
    member_id  IDTEXT NOT NULL,
    account_id IDTEXT NOT NULL,
    kind       TEXT NOT NULL,
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    data       TEXT NOT NULL,
    address    TEXT NOT NULL,
    token      IDTEXT NOT NULL UNIQUE,
    read_at    BIGINT NOT NULL,
    mail       TEXT NOT NULL,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    tried_at   BIGINT NOT NULL,
    outcome    TEXT NOT NULL
);
CREATE INDEX notices_member ON notices (member_id, id);
CREATE INDEX notices_at ON notices (at);
CREATE INDEX notices_due ON notices (next_at) WHERE mail = 'pending';

-- The topics about which a member gets no mails from an account.
CREATE TABLE notice_preferences (
    member_id  IDTEXT NOT NULL,
    account_id IDTEXT NOT NULL,
    topic      IDTEXT NOT NULL,
    mail       BIGINT NOT NULL,
    PRIMARY KEY (member_id, account_id, topic)
);

-- The last change and the time through which notices are written, and the secret that signs the
-- links to unsubscribe. A new database has no row. An existing one gets no notices about the past.
CREATE TABLE notice_state (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    seq        BIGINT NOT NULL,
    scanned_at BIGINT NOT NULL,
    secret     TEXT NOT NULL
);
INSERT INTO notice_state (one, seq, scanned_at, secret) SELECT 1, seq, 0, '' FROM clock WHERE seq > 0;
