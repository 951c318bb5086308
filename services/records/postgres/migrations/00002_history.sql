-- +goose Up

-- The history of the system or of a type, newest first, and that of a
-- compartment: without them each asks for the whole log.
CREATE INDEX versions_seq ON records.versions (seq);
CREATE INDEX versions_compartment ON records.versions (patient, seq);

-- +goose Down
DROP INDEX records.versions_seq, records.versions_compartment;
