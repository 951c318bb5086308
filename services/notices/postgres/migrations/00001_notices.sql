-- +goose Up
CREATE TABLE notices.cursor (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor text NOT NULL DEFAULT ''
);
INSERT INTO notices.cursor DEFAULT VALUES;

CREATE TABLE notices.facts (
    reference    text PRIMARY KEY,
    version      bigint NOT NULL,
    patient      text NOT NULL,
    status       text NOT NULL,
    start        text NOT NULL,
    remote       boolean NOT NULL,
    consultation text NOT NULL
);

CREATE TABLE notices.notices (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    kind    text NOT NULL,
    key     text NOT NULL,
    title   text NOT NULL,
    text    text NOT NULL,
    link    text NOT NULL,
    at      timestamptz NOT NULL,
    read    boolean NOT NULL DEFAULT false,
    UNIQUE (account, key)
);
CREATE INDEX notices_newest ON notices.notices (account, id DESC);
CREATE INDEX notices_unread ON notices.notices (account) WHERE NOT read;

CREATE TABLE notices.subscriptions (
    endpoint text PRIMARY KEY,
    account  text NOT NULL,
    p256dh   text NOT NULL,
    auth     text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriptions_account ON notices.subscriptions (account);

-- What a channel has still to carry. The endpoint is set for push, the
-- address for SMS and e-mail.
CREATE TABLE notices.outbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice   bigint NOT NULL REFERENCES notices.notices (id) ON DELETE CASCADE,
    channel  text NOT NULL,
    endpoint text NOT NULL DEFAULT '',
    address  text NOT NULL DEFAULT '',
    due      timestamptz NOT NULL,
    tries    integer NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON notices.outbox (due);
CREATE INDEX outbox_endpoint ON notices.outbox (endpoint) WHERE endpoint <> '';
