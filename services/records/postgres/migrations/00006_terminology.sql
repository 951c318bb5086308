-- +goose Up

-- One row for each loaded version of a code system. A newer load of the same
-- version leaves the older one in place, marked, for the queries that have
-- begun with it; the next load removes it.
CREATE TABLE records.code_systems (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url            text COLLATE "C" NOT NULL,
    version        text COLLATE "C" NOT NULL,
    name           text NOT NULL,
    language       text NOT NULL,
    case_sensitive boolean NOT NULL,
    value_set      text COLLATE "C" NOT NULL, -- the value set of all its codes, or ''
    -- Where it is from: "r4" (the base specification), "import", or the stored
    -- resource ("CodeSystem/<id>/_history/<version>").
    source         text COLLATE "C" NOT NULL,
    digest         bytea NOT NULL, -- of what was loaded
    loaded         timestamptz NOT NULL DEFAULT now(),
    replaced       timestamptz
);
CREATE UNIQUE INDEX code_systems_current ON records.code_systems (url, version, (split_part(source, '/', 1)), (split_part(source, '/', 2)))
    WHERE replaced IS NULL;
CREATE INDEX code_systems_value_set ON records.code_systems (value_set) WHERE value_set <> '' AND replaced IS NULL;
CREATE INDEX code_systems_replaced ON records.code_systems (replaced) WHERE replaced IS NOT NULL;

CREATE TABLE records.concepts (
    system       integer NOT NULL, -- no foreign key: it would be checked row by row
    ordinal      integer NOT NULL, -- the place in the source
    code         text COLLATE "C" NOT NULL,
    display      text NOT NULL,
    definition   text NOT NULL,
    inactive     boolean NOT NULL,
    abstract     boolean NOT NULL,
    designations jsonb, -- as in CodeSystem.concept.designation
    properties   jsonb, -- [{code, type, value}]
    parents      text[],
    -- The names without tone marks, each between line feeds, for the order of
    -- what is found, and the words of code and names to find it by.
    folded       text COLLATE "C" NOT NULL,
    words        tsvector NOT NULL,
    PRIMARY KEY (system, code)
);
CREATE INDEX concepts_order ON records.concepts (system, ordinal);
CREATE INDEX concepts_words ON records.concepts USING gin (words);

-- Who is below whom, at any distance; direct tells parent and child.
CREATE TABLE records.concept_ancestors (
    system     integer NOT NULL,
    ancestor   integer NOT NULL, -- ordinals
    descendant integer NOT NULL,
    direct     boolean NOT NULL,
    PRIMARY KEY (system, ancestor, descendant)
);
CREATE INDEX concept_ancestors_up ON records.concept_ancestors (system, descendant);

-- The value sets of the base specification; others are resources.
CREATE TABLE records.value_sets (
    url     text COLLATE "C" PRIMARY KEY,
    version text COLLATE "C" NOT NULL,
    body    text NOT NULL
);

-- +goose Down
DROP TABLE records.value_sets, records.concept_ancestors, records.concepts, records.code_systems;
