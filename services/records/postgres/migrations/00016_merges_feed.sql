-- +goose Up

-- The transaction that made or undid a merge. Access follows the merges in
-- this order, as readers of the log follow it.
ALTER TABLE records.merges ADD COLUMN tx xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX merges_tx ON records.merges (tx, id);

-- +goose Down
DROP INDEX records.merges_tx;
ALTER TABLE records.merges DROP COLUMN tx;
