-- +goose Up

-- Where a projection of the log that lives in records itself stands.
CREATE TABLE records.cursors (
    name text PRIMARY KEY,
    tx   xid8 NOT NULL,
    seq  bigint NOT NULL
);
INSERT INTO records.cursors VALUES ('subscriptions', '0', 0);

-- What the projection made of Subscriptions, and how their delivery stands.
-- Times are microseconds since 1970.
CREATE TABLE records.subscriptions (
    id       text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL,
    owner    text NOT NULL,
    status   text NOT NULL,
    channel  text NOT NULL,
    body     bytea NOT NULL,
    -- Changes before this place in the log are not told.
    tx       xid8 NOT NULL,
    seq      bigint NOT NULL,
    -- Heartbeat is 0 for none, ends 0 for never.
    heartbeat bigint NOT NULL,
    ends     bigint NOT NULL,
    -- The number of the newest event.
    last     bigint NOT NULL DEFAULT 0,
    -- When something was sent last, and how often in a row that failed.
    sent     bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    -- Not before due; leased belongs to the worker that delivers until then.
    due      bigint NOT NULL DEFAULT 0,
    leased   bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE INDEX subscriptions_due ON records.subscriptions (due) WHERE status <> 'off';

-- One row for each change that a Subscription is told of. It holds no body:
-- what is sent is read, within the owner's scope, when it is sent.
CREATE TABLE records.events (
    subscription text COLLATE "C" NOT NULL,
    number       bigint NOT NULL,
    seq          bigint NOT NULL,
    at           bigint NOT NULL,
    type         smallint NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    op           "char" NOT NULL,
    -- q queued, s sent or open to whoever asks, d dead letter, w withheld.
    state        "char" NOT NULL,
    PRIMARY KEY (subscription, number)
);
CREATE UNIQUE INDEX events_once ON records.events (subscription, seq);
CREATE INDEX events_queue ON records.events (subscription, number) WHERE state = 'q';
CREATE INDEX events_dead ON records.events (subscription, number) WHERE state = 'd';
CREATE INDEX events_old ON records.events (at);

-- A token opens one websocket, once.
CREATE TABLE records.tickets (
    digest       bytea PRIMARY KEY,
    subscription text COLLATE "C" NOT NULL,
    account      text NOT NULL,
    until        bigint NOT NULL
);

INSERT INTO records.secrets VALUES
    ('subscriptions', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- +goose Down
DELETE FROM records.secrets WHERE name = 'subscriptions';
DROP TABLE records.tickets, records.events, records.subscriptions, records.cursors;
