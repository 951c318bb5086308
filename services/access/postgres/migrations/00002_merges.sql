-- +goose Up

-- The Patients whose record became part of another's, as records tells it, and
-- how far its merges were followed.
CREATE TABLE access.merged (
    patient text PRIMARY KEY,
    target  text NOT NULL
);
CREATE INDEX merged_into ON access.merged (target);
CREATE TABLE access.merges (cursor text NOT NULL);
INSERT INTO access.merges (cursor) VALUES ('');

-- line returns those whom a Patient was merged into, one after the other: the
-- last one's record holds all of theirs.
-- +goose StatementBegin
CREATE FUNCTION access.line(patient text) RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE l (id, path) AS (
        SELECT line.patient, ARRAY[]::text[]
        UNION ALL
        SELECT m.target, l.path || m.target FROM l JOIN access.merged m ON m.patient = l.id
            WHERE m.target <> line.patient AND m.target <> ALL (l.path))
    SELECT path FROM l ORDER BY cardinality(path) DESC LIMIT 1
$$;
-- +goose StatementEnd

-- known returns a Patient and all who were merged into that one.
-- +goose StatementBegin
CREATE FUNCTION access.known(patient text) RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE k (id) AS (
        SELECT known.patient
        UNION
        SELECT m.patient FROM k JOIN access.merged m ON m.target = k.id)
    SELECT array_agg(id) FROM k
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION access.known(text), access.line(text);
DROP TABLE access.merges, access.merged;
