-- +goose Up

-- The secret by which the cursors in links are sealed.
INSERT INTO records.secrets VALUES
    ('cursors', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- +goose Down
DELETE FROM records.secrets WHERE name = 'cursors';
