-- +goose Up

-- Bulk exports. A job holds no data: it fixes which versions an export
-- consists of (snapshot) and who asked with which scope. Its files are parts
-- of the directory, which are read from the log when they are downloaded.
CREATE TABLE records.jobs (
    id        uuid PRIMARY KEY,
    principal jsonb NOT NULL,
    account   text NOT NULL,
    scope     jsonb NOT NULL,
    request   text NOT NULL,
    level     text NOT NULL,
    types     smallint[] NOT NULL,
    since     bigint NOT NULL, -- microseconds since 1970, 0 for the beginning
    snapshot  pg_snapshot NOT NULL,
    horizon   timestamptz NOT NULL,
    expires   timestamptz NOT NULL,
    state     text NOT NULL DEFAULT 'active', -- active, complete, refused
    -- Where the count stands: the index into types and the last id looked at.
    place     integer NOT NULL DEFAULT 0,
    after     text COLLATE "C" NOT NULL DEFAULT '',
    lease     timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX jobs_active ON records.jobs (expires) WHERE state = 'active';

-- A file is the resources of one type with after < id <= upto.
CREATE TABLE records.job_files (
    job     uuid NOT NULL REFERENCES records.jobs ON DELETE CASCADE,
    file    integer NOT NULL,
    type    smallint NOT NULL,
    after   text COLLATE "C" NOT NULL,
    upto    text COLLATE "C" NOT NULL,
    count   bigint NOT NULL,
    deleted bigint NOT NULL,
    PRIMARY KEY (job, file)
);

-- The members of the Group at the time of asking.
CREATE TABLE records.job_patients (
    job     uuid NOT NULL REFERENCES records.jobs ON DELETE CASCADE,
    patient bigint NOT NULL,
    PRIMARY KEY (job, patient)
);

-- Whose record was handed out to whom, so that each is told once.
CREATE TABLE records.job_readers (
    job     uuid NOT NULL REFERENCES records.jobs ON DELETE CASCADE,
    account text NOT NULL,
    patient bigint NOT NULL,
    PRIMARY KEY (job, account, patient)
);

-- +goose Down
DROP TABLE records.job_readers, records.job_patients, records.job_files, records.jobs;
