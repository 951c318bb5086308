-- +goose Up

-- A write that refers to something that is not there fails as a whole, in the
-- statement that finds it out: a single create is one statement.
-- +goose StatementBegin
CREATE FUNCTION records.dangling() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a reference leads to nothing' USING ERRCODE = 'YB422';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION records.dangling();
