-- +goose Up

-- A chain goes from a resource to what it refers to, and from a resource's
-- key to its id: without these it could only begin at the far end.
CREATE INDEX refs_resource ON records.refs (patient, param, key);
CREATE INDEX directory_key ON records.directory (key);

-- +goose Down
DROP INDEX records.directory_key, records.refs_resource;
