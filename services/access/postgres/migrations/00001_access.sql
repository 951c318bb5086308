-- +goose Up
CREATE TABLE access.accounts (
    id                 text PRIMARY KEY,
    username           text NOT NULL,
    name               text NOT NULL,
    -- username and name without tone marks, for searching.
    folded             text NOT NULL,
    roles              text[] NOT NULL,
    patient            text NOT NULL DEFAULT '',
    practitioner       text NOT NULL DEFAULT '',
    communes           text[] NOT NULL DEFAULT '{}',
    facility           text NOT NULL DEFAULT '',
    -- argon2id as a PHC string; empty until the account is activated.
    password           text NOT NULL DEFAULT '',
    activation         text NOT NULL DEFAULT '',
    activation_expires timestamptz,
    created            timestamptz NOT NULL,
    disabled           timestamptz
);
CREATE UNIQUE INDEX accounts_username ON access.accounts (username);
-- One person has one account.
CREATE UNIQUE INDEX accounts_patient ON access.accounts (patient) WHERE patient <> '' AND disabled IS NULL;

-- Failed sign-ins, by account and address, to slow guessing down.
CREATE TABLE access.attempts (
    key      text PRIMARY KEY,
    failures integer NOT NULL,
    last     timestamptz NOT NULL,
    until    timestamptz NOT NULL
);

-- A sign-in of a person in a browser; its cookie's hash is the key to it.
CREATE TABLE access.sessions (
    id      text PRIMARY KEY,
    cookie  bytea UNIQUE,
    account text NOT NULL REFERENCES access.accounts (id),
    method  text NOT NULL,
    started timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    ended   timestamptz
);
CREATE INDEX sessions_account ON access.sessions (account) WHERE ended IS NULL;

-- What one app got out of a session: its access and refresh tokens.
CREATE TABLE access.grants (
    id      text PRIMARY KEY,
    session text NOT NULL REFERENCES access.sessions (id),
    client  text NOT NULL,
    scopes  text[] NOT NULL,
    started timestamptz NOT NULL,
    ended   timestamptz,
    reason  text NOT NULL DEFAULT ''
);
CREATE INDEX grants_session ON access.grants (session);

CREATE TABLE access.refresh_tokens (
    hash    bytea PRIMARY KEY,
    "grant" text NOT NULL REFERENCES access.grants (id),
    expires timestamptz NOT NULL,
    used    timestamptz
);
CREATE INDEX refresh_tokens_grant ON access.refresh_tokens ("grant");

-- Authorization requests between /oauth/authorize and the code's exchange.
CREATE TABLE access.auth_requests (
    id      text PRIMARY KEY,
    created timestamptz NOT NULL,
    session text REFERENCES access.sessions (id),
    code    bytea UNIQUE,
    coded   timestamptz,
    body    jsonb NOT NULL
);

CREATE TABLE access.relations (
    id       text PRIMARY KEY,
    account  text NOT NULL REFERENCES access.accounts (id),
    patient  text NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('guardian', 'treating')),
    starts   timestamptz NOT NULL,
    ends     timestamptz,
    reason   text NOT NULL,
    granted  timestamptz NOT NULL,
    granter  text NOT NULL
);
CREATE INDEX relations_account ON access.relations (account);
CREATE INDEX relations_patient ON access.relations (patient);

CREATE TABLE access.audit (
    seq       bigint PRIMARY KEY,
    at        timestamptz NOT NULL,
    operation text NOT NULL,
    account   text NOT NULL,
    name      text NOT NULL,
    roles     text[] NOT NULL,
    service   text NOT NULL,
    facility  text NOT NULL,
    patient   text NOT NULL,
    target    text NOT NULL,
    outcome   text NOT NULL,
    reason    text NOT NULL,
    previous  bytea NOT NULL,
    hash      bytea NOT NULL
);
CREATE INDEX audit_patient ON access.audit (patient, seq DESC);
CREATE INDEX audit_denied ON access.audit (seq DESC) WHERE outcome = 'denied';

-- +goose StatementBegin
CREATE FUNCTION access.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access.audit
    FOR EACH STATEMENT EXECUTE FUNCTION access.refuse_change();

-- +goose Down
DROP TABLE access.audit, access.relations, access.auth_requests, access.refresh_tokens, access.grants, access.sessions,
    access.attempts, access.accounts;
DROP FUNCTION access.refuse_change();
