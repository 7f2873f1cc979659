-- One row a sale, the same in SQLite and PostgreSQL. Amounts are base units, times Unix seconds, bytes
-- hexadecimal, those of answers base64.
-- A changed migration is refused by every database that has run it: add another instead.
CREATE TABLE sales (
    challenge_id   TEXT   PRIMARY KEY,
    version        BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    due_at         BIGINT,
    request        TEXT   NOT NULL,
    credential     TEXT   NOT NULL,
    idempotency    TEXT   UNIQUE,
    reference      TEXT   NOT NULL,
    payer          TEXT   NOT NULL,
    chain_id       BIGINT NOT NULL,
    currency       TEXT   NOT NULL,
    amount         TEXT   NOT NULL,
    payment_hash   TEXT   UNIQUE,
    payment_raw    TEXT,
    payment_end    BIGINT,
    claimed_at     BIGINT NOT NULL,
    settled_at     BIGINT,
    answer_status  BIGINT,
    answer_headers TEXT,
    answer_body    TEXT,
    failure        TEXT,
    refund_hash    TEXT,
    refund_raw     TEXT,
    refund_end     BIGINT,
    refund_tries   BIGINT NOT NULL,
    ended_at       BIGINT
);

-- What nobody may forget.
CREATE INDEX due_sales ON sales (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sale_references ON sales (reference);
-- What has to be given back.
CREATE INDEX owed_sales ON sales (state) WHERE state IN ('refund-due', 'refunding');
-- Answers that are kept, until they need not be.
CREATE INDEX kept_answers ON sales (ended_at) WHERE answer_body IS NOT NULL;

-- Written now and then to see whether anything can be.
CREATE TABLE probes (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);
