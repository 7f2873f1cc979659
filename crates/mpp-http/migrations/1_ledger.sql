-- One row a payment, the same in SQLite and PostgreSQL. Amounts are base units, times Unix seconds, bytes hexadecimal.
-- A changed migration is refused by every ledger that has run it: add another instead.
CREATE TABLE payments (
    id                 BIGINT PRIMARY KEY,
    process            BIGINT NOT NULL,
    state              TEXT   NOT NULL,
    method             TEXT   NOT NULL,
    url                TEXT   NOT NULL,
    body_digest        TEXT   NOT NULL,
    challenge          TEXT   NOT NULL,
    challenge_id       TEXT   NOT NULL,
    realm              TEXT   NOT NULL,
    chain_id           BIGINT NOT NULL,
    token              TEXT   NOT NULL,
    amount             BIGINT NOT NULL,
    recipients         TEXT   NOT NULL,
    fee_ceiling        BIGINT NOT NULL,
    payer              TEXT   NOT NULL,
    reserved_at        BIGINT NOT NULL,
    sent_at            BIGINT,
    hash               TEXT,
    memo               TEXT,
    valid_before       BIGINT,
    signed_transaction TEXT,
    answered_at        BIGINT,
    status             BIGINT,
    answer_digest      TEXT,
    receipt            TEXT,
    failure            TEXT,
    settled_at         BIGINT,
    settled_hash       TEXT,
    settled_amount     BIGINT,
    settled_fee        BIGINT
);

-- What the chain has not had the last word on.
CREATE INDEX open_payments ON payments (id) WHERE settled_at IS NULL;

-- What was spent, by who asked or received and by slots of time, so that a budget is a sum of a few rows.
CREATE TABLE totals (
    chain_id BIGINT NOT NULL,
    token    TEXT   NOT NULL,
    scope    TEXT   NOT NULL,
    span     BIGINT NOT NULL,
    slot     BIGINT NOT NULL,
    -- SQLite would go on with a rounded number.
    spent    BIGINT NOT NULL CHECK (spent <= 9223372036854775807),
    PRIMARY KEY (chain_id, token, scope, span, slot)
);
