-- +goose Up
-- Which process holds a consultation's media room. An owner that is gone
-- stops renewing, and the room may be opened elsewhere.
CREATE TABLE consults.rooms (
  consultation uuid PRIMARY KEY REFERENCES consults.consultations ON DELETE CASCADE,
  owner        text NOT NULL,
  expires      timestamptz NOT NULL
);
CREATE INDEX rooms_owner ON consults.rooms (owner);

-- When what could not be carried is tried again, so that consultations that
-- the record refuses do not stand in the way of the others.
ALTER TABLE consults.consultations
  ADD COLUMN tries int NOT NULL DEFAULT 0,
  ADD COLUMN retry timestamptz NOT NULL DEFAULT '-infinity';
DROP INDEX consults.consultations_unrecorded;
CREATE INDEX consultations_unrecorded ON consults.consultations (retry, changed) WHERE recorded < revision;

-- +goose Down
DROP INDEX consults.consultations_unrecorded;
ALTER TABLE consults.consultations DROP COLUMN tries, DROP COLUMN retry;
CREATE INDEX consultations_unrecorded ON consults.consultations (changed) WHERE recorded < revision;
DROP TABLE consults.rooms;
