-- +goose Up

-- What each merge of two Patients moved, so that it can be undone: of every
-- resource that got a new version its key, the version before and the one
-- after. The bodies are in the log.
CREATE TABLE records.merges (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    source    bigint NOT NULL, -- compartments' keys
    target    bigint NOT NULL,
    at        bigint NOT NULL,
    actor     text NOT NULL,
    reason    text NOT NULL,
    keys      bigint[] NOT NULL,
    before    bigint[] NOT NULL,
    after     bigint[] NOT NULL,
    undone    bigint,
    undone_by text
);
-- A Patient is merged into one other at a time.
CREATE UNIQUE INDEX merges_open ON records.merges (source) WHERE undone IS NULL;

-- +goose Down
DROP TABLE records.merges;
