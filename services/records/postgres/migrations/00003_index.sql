-- +goose Up

-- A parameter's digest says what its rows were made by. Where the program
-- makes others, the type is indexed again; until then its rows are not
-- complete and ready is false.
ALTER TABLE records.params
    ADD digest text NOT NULL DEFAULT '',
    ADD ready  boolean NOT NULL DEFAULT true;

-- The types that are being indexed again, and how far: all resources whose id
-- is not after the one noted.
CREATE TABLE records.indexing (
    type  smallint PRIMARY KEY,
    after text COLLATE "C" NOT NULL DEFAULT '',
    done  bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL
);

-- Quantities in units of one dimension are compared by their amount in base
-- units; base is the dimension, or the code where the unit is not of UCUM.
ALTER TABLE records.quantities
    ADD base   text COLLATE "C" NOT NULL DEFAULT '',
    ADD amount numeric NOT NULL DEFAULT 0;
DROP INDEX records.quantities_population;
CREATE INDEX quantities_population ON records.quantities (param, base, amount, key);

-- What composite parameters find: a token and the value beside it.
CREATE TABLE records.composites (
    patient bigint NOT NULL,
    key     bigint NOT NULL,
    at      bigint NOT NULL,
    param   smallint NOT NULL,
    system  integer NOT NULL,
    code    text COLLATE "C" NOT NULL,
    "with"  integer NOT NULL,
    text    text COLLATE "C" NOT NULL,
    base    text COLLATE "C" NOT NULL,
    low     numeric NOT NULL,
    high    numeric NOT NULL
);
CREATE INDEX composites_compartment ON records.composites (patient, param, code, at, key);
CREATE INDEX composites_population ON records.composites (param, code, at, key, low);

-- +goose Down
DROP TABLE records.composites, records.indexing;
DROP INDEX records.quantities_population;
ALTER TABLE records.quantities DROP base, DROP amount;
CREATE INDEX quantities_population ON records.quantities (param, code, value, key);
ALTER TABLE records.params DROP digest, DROP ready;
