-- +goose Up
-- One row per build of the read model. Several may exist while a rebuild
-- runs; at most one is live and at most one is being built.
CREATE TABLE coverage.generations (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    live    boolean NOT NULL,
    cursor  text NOT NULL DEFAULT '',
    applied bigint NOT NULL DEFAULT 0,
    as_of   timestamptz,
    folded  date NOT NULL DEFAULT '-infinity'
);
CREATE UNIQUE INDEX generations_live ON coverage.generations (live);
INSERT INTO coverage.generations (live) VALUES (true);

CREATE TABLE coverage.persons (
    generation bigint NOT NULL,
    patient    text NOT NULL,
    version    bigint NOT NULL,
    commune    text NOT NULL,
    hamlet     text NOT NULL,
    birth      text NOT NULL,
    created    date NOT NULL,
    counted    boolean NOT NULL,
    PRIMARY KEY (generation, patient)
);

-- Remote consultations; day is null for tombstones.
CREATE TABLE coverage.uses (
    generation bigint NOT NULL,
    encounter  text NOT NULL,
    version    bigint NOT NULL,
    patient    text NOT NULL,
    day        date,
    PRIMARY KEY (generation, encounter)
);
CREATE INDEX uses_patient ON coverage.uses (generation, patient);

CREATE TABLE coverage.facilities (
    generation bigint NOT NULL,
    id         text NOT NULL,
    version    bigint NOT NULL,
    commune    text NOT NULL,
    created    date NOT NULL,
    counted    boolean NOT NULL,
    PRIMARY KEY (generation, id)
);

CREATE TABLE coverage.offers (
    generation bigint NOT NULL,
    id         text NOT NULL,
    version    bigint NOT NULL,
    facility   text NOT NULL,
    created    date NOT NULL,
    counted    boolean NOT NULL,
    PRIMARY KEY (generation, id)
);

-- An indicator's number on a day is the sum of n up to that day; days that
-- no report asks for any more are folded into -infinity.
CREATE TABLE coverage.counts (
    generation bigint NOT NULL,
    indicator  text NOT NULL,
    day        date NOT NULL,
    commune    text NOT NULL,
    hamlet     text NOT NULL,
    n          bigint NOT NULL,
    PRIMARY KEY (generation, indicator, day, commune, hamlet)
);

CREATE TABLE coverage.populations (
    unit   text NOT NULL,
    day    date NOT NULL,
    people integer NOT NULL CHECK (people >= 0),
    adults integer NOT NULL CHECK (adults >= 0 AND adults <= people),
    source text NOT NULL,
    PRIMARY KEY (unit, day)
);

CREATE TABLE coverage.targets (
    indicator text NOT NULL,
    level     text NOT NULL,
    by        date NOT NULL,
    share     double precision NOT NULL CHECK (share > 0 AND share <= 1),
    source    text NOT NULL,
    PRIMARY KEY (indicator, level, by)
);
