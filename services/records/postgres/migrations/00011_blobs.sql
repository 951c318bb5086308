-- +goose Up

-- Large values of resources (attachments), once for each compartment and
-- content: a body names them by their SHA-256. They lie in the compartment of
-- the version that names them and are never shared between patients, so that
-- a patient's key can encrypt them and destroying it erases them.
CREATE TABLE records.blobs (
    patient  bigint NOT NULL,
    digest   bytea NOT NULL,
    part     integer NOT NULL,
    encoding smallint NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (patient, digest, part)
);
-- Parts are compressed already where it helps.
ALTER TABLE records.blobs ALTER COLUMN body SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE records.blobs;
