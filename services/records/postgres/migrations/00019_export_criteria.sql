-- +goose Up

-- What else a kick-off asked for (https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters).
ALTER TABLE records.jobs
    ADD COLUMN until    bigint NOT NULL DEFAULT 0, -- microseconds since 1970, 0 for no end
    ADD COLUMN filters  text[] NOT NULL DEFAULT '{}', -- Type?criteria
    ADD COLUMN elements text   NOT NULL DEFAULT '', -- empty for whole resources
    ADD COLUMN ignored  text[] NOT NULL DEFAULT '{}'; -- parameters that a lenient request was not given

-- +goose Down
ALTER TABLE records.jobs DROP COLUMN until, DROP COLUMN filters, DROP COLUMN elements, DROP COLUMN ignored;
