-- +goose Up

-- Dictionaries: small numbers in the large tables instead of long strings.
CREATE TABLE records.params (
    id   smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    code text NOT NULL,
    UNIQUE (type, code)
);
CREATE TABLE records.systems (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system text COLLATE "C" NOT NULL UNIQUE
);

-- Keys of resources are taken in blocks, so that a write needs no round trip for them.
CREATE SEQUENCE records.keys INCREMENT 1000;

-- The directory is what must be unique without the compartment; it is narrow
-- and is the row that writers of one resource lock.
CREATE TABLE records.directory (
    type    smallint NOT NULL,
    id      text COLLATE "C" NOT NULL,
    key     bigint NOT NULL,
    patient bigint NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (type, id)
) WITH (fillfactor = 90);

-- One row for each patient: the compartment's id and where the person lives.
CREATE TABLE records.compartments (
    patient bigint PRIMARY KEY,
    id      text COLLATE "C" NOT NULL UNIQUE,
    commune text COLLATE "C" NOT NULL DEFAULT ''
) WITH (fillfactor = 90);
CREATE INDEX compartments_commune ON records.compartments (commune, patient);

-- The current version of each resource that is not deleted. at is the
-- resource's own date in microseconds since 1970 (its parameter "date" or the
-- like), 0 without one; lists are newest first by it.
CREATE TABLE records.current (
    patient  bigint NOT NULL,
    key      bigint NOT NULL,
    type     smallint NOT NULL,
    id       text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    version  bigint NOT NULL,
    updated  bigint NOT NULL,
    encoding smallint NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (patient, key)
);
CREATE INDEX current_compartment ON records.current (patient, type, at, key);
CREATE INDEX current_type ON records.current (type, at, key);
CREATE INDEX current_updated ON records.current (type, updated, key);

-- The change log: one row for each write, never changed.
CREATE TABLE records.versions (
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    tx       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    patient  bigint NOT NULL,
    key      bigint NOT NULL,
    type     smallint NOT NULL,
    id       text COLLATE "C" NOT NULL,
    version  bigint NOT NULL,
    at       bigint NOT NULL,
    actor    text NOT NULL,
    reason   text NOT NULL,
    op       "char" NOT NULL,
    encoding smallint NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (tx, seq)
);
CREATE UNIQUE INDEX versions_resource ON records.versions (key, version);

-- Bodies are compressed already.
ALTER TABLE records.current ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE records.versions ALTER COLUMN body SET STORAGE EXTERNAL;

-- Search indexes hold rows of current versions only. Each has an order for a
-- patient's compartment and one for the whole population, which end in the
-- default order of lists, so that a page stops early.
CREATE TABLE records.tokens (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    at      bigint NOT NULL,
    param   smallint NOT NULL,
    system  integer NOT NULL,
    code    text COLLATE "C" NOT NULL
);
CREATE INDEX tokens_compartment ON records.tokens (patient, param, code, at, key, system);
CREATE INDEX tokens_population ON records.tokens (param, code, at, key, system);

CREATE TABLE records.strings (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    param   smallint NOT NULL,
    folded  text COLLATE "C" NOT NULL,
    exact   text COLLATE "C" NOT NULL
);
CREATE INDEX strings_resource ON records.strings (patient, param, key);
CREATE INDEX strings_population ON records.strings (param, folded, key);

-- low and high are microseconds since 1970 and bound a half-open range.
CREATE TABLE records.dates (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    param   smallint NOT NULL,
    low     bigint NOT NULL,
    high    bigint NOT NULL
);
CREATE INDEX dates_resource ON records.dates (patient, param, key, low, high);
CREATE INDEX dates_population ON records.dates (param, low, key);
-- Ranges longer than a day are few; a bound on one end of the others bounds both.
CREATE INDEX dates_long ON records.dates (param, high, key) WHERE high - low > 86400000000;

CREATE TABLE records.refs (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    at      bigint NOT NULL,
    param   smallint NOT NULL,
    type    smallint NOT NULL,
    target  text COLLATE "C" NOT NULL
);
CREATE INDEX refs_target ON records.refs (param, target, type, at, key);

CREATE TABLE records.uris (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    param   smallint NOT NULL,
    uri     text COLLATE "C" NOT NULL
);
CREATE INDEX uris_resource ON records.uris (patient, param, key);
CREATE INDEX uris_population ON records.uris (param, uri, key);

CREATE TABLE records.quantities (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    param   smallint NOT NULL,
    system  integer NOT NULL,
    code    text COLLATE "C" NOT NULL,
    value   numeric NOT NULL
);
CREATE INDEX quantities_resource ON records.quantities (patient, param, key);
CREATE INDEX quantities_population ON records.quantities (param, code, value, key);

-- Whoever creates on condition holds the row of its criteria first, so that
-- parallel ones come one after the other (fhir-servers: lost by an index, not by luck).
CREATE TABLE records.criteria (
    type   smallint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (type, digest)
);

-- The key of pseudonyms in de-identified answers.
CREATE TABLE records.secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
INSERT INTO records.secrets VALUES
    ('pseudonym', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- +goose Down
DROP TABLE records.secrets, records.criteria, records.quantities, records.uris, records.refs, records.dates, records.strings,
    records.tokens, records.versions, records.current, records.compartments, records.directory, records.systems, records.params;
DROP SEQUENCE records.keys;
