-- +goose Up
-- A unit without a known beginning has valid_from '-infinity'.
CREATE TABLE stations.units (
    code       text NOT NULL,
    valid_from date NOT NULL,
    valid_to   date,
    level      text NOT NULL,
    name       text NOT NULL,
    name_en    text NOT NULL DEFAULT '',
    kind       text NOT NULL DEFAULT '',
    parent     text NOT NULL DEFAULT '',
    PRIMARY KEY (code, valid_from),
    CHECK (valid_to IS NULL OR valid_to >= valid_from)
);
CREATE INDEX units_by_parent ON stations.units (parent, level, code);

CREATE TABLE stations.successions (
    old_code text NOT NULL,
    old_from date NOT NULL,
    new_code text NOT NULL,
    new_from date NOT NULL,
    extent   text NOT NULL CHECK (extent IN ('full', 'partial')),
    PRIMARY KEY (old_code, old_from, new_code, new_from)
);
CREATE INDEX successions_by_new ON stations.successions (new_code, new_from);

-- One row for each client id. A row without an answer is a claim.
CREATE TABLE stations.entries (
    client_id  text PRIMARY KEY,
    account    text NOT NULL,
    station    text NOT NULL,
    kind       text NOT NULL,
    digest     bytea NOT NULL,
    claimed_at timestamptz NOT NULL,
    entered_at timestamptz,
    patient    text NOT NULL DEFAULT '',
    text       text NOT NULL DEFAULT '',
    answer     bytea
);
CREATE INDEX entries_by_day ON stations.entries (station, entered_at DESC) WHERE entered_at IS NOT NULL;

-- The read model of vaccinations; no names.
CREATE TABLE stations.children (
    patient text PRIMARY KEY,
    commune text NOT NULL,
    birth   date NOT NULL
);
CREATE INDEX children_by_commune ON stations.children (commune, birth);

CREATE TABLE stations.given (
    immunization text PRIMARY KEY,
    patient      text NOT NULL,
    vaccine      text NOT NULL,
    dose         integer NOT NULL,
    on_day       date NOT NULL
);
CREATE INDEX given_by_patient ON stations.given (patient);

CREATE TABLE stations.projections (
    name   text PRIMARY KEY,
    cursor text NOT NULL
);
INSERT INTO stations.projections VALUES ('due', '');

-- +goose Down
DROP TABLE stations.projections, stations.given, stations.children, stations.entries, stations.successions, stations.units;
