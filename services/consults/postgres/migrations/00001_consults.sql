-- +goose Up
CREATE TABLE consults.doctors (
  id            text PRIMARY KEY,
  practitioner  text NOT NULL,
  name          text NOT NULL,
  specialty     text NOT NULL,
  facility      text NOT NULL,
  facility_name text NOT NULL,
  hours         jsonb NOT NULL,
  slot_minutes  int NOT NULL CHECK (slot_minutes > 0)
);

-- What searches need are columns; the rest of a consultation is one document.
CREATE TABLE consults.consultations (
  id         uuid PRIMARY KEY,
  patient    text NOT NULL,
  doctor     text NOT NULL,
  start      timestamptz NOT NULL,
  until      timestamptz NOT NULL,
  soon       boolean NOT NULL,
  status     text NOT NULL CHECK (status IN ('booked','waiting','active','ended','cancelled','missed')),
  booked_by  text NOT NULL,
  request_id text NOT NULL,
  members    jsonb NOT NULL,
  body       jsonb NOT NULL,
  revision   bigint NOT NULL DEFAULT 1,
  changed    timestamptz NOT NULL DEFAULT now(),
  -- What the record and access know; written by Record only.
  recorded   bigint NOT NULL DEFAULT 0,
  relations  jsonb NOT NULL DEFAULT '{}',
  written    jsonb NOT NULL DEFAULT '{}'
);
-- Two who want one doctor at one time meet here.
CREATE UNIQUE INDEX consultations_slot ON consults.consultations (doctor, start)
  WHERE NOT soon AND status NOT IN ('cancelled', 'missed');
CREATE UNIQUE INDEX consultations_request ON consults.consultations (booked_by, request_id) WHERE request_id <> '';
CREATE INDEX consultations_patient ON consults.consultations (patient, start DESC);
CREATE INDEX consultations_doctor ON consults.consultations (doctor, start DESC);
CREATE INDEX consultations_members ON consults.consultations USING gin (members jsonb_path_ops);
CREATE INDEX consultations_open ON consults.consultations (start) WHERE status IN ('booked', 'waiting');
CREATE INDEX consultations_unrecorded ON consults.consultations (changed) WHERE recorded < revision;

CREATE TABLE consults.seats (
  hash         bytea PRIMARY KEY,
  consultation uuid NOT NULL REFERENCES consults.consultations ON DELETE CASCADE,
  account      text NOT NULL,
  role         text NOT NULL,
  principal    bytea NOT NULL,
  expires      timestamptz NOT NULL
);
CREATE INDEX seats_consultation ON consults.seats (consultation, account);
CREATE INDEX seats_expires ON consults.seats (expires);

CREATE TABLE consults.chat (
  seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consultation uuid NOT NULL REFERENCES consults.consultations ON DELETE CASCADE,
  account      text NOT NULL,
  id           text NOT NULL,
  name         text NOT NULL,
  role         text NOT NULL,
  body         text NOT NULL,
  at           timestamptz NOT NULL,
  UNIQUE (consultation, account, id)
);

-- +goose Down
DROP TABLE consults.chat, consults.seats, consults.consultations, consults.doctors;
