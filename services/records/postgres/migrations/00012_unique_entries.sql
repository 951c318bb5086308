-- +goose Up

-- Entries that end in the resource's key repeat almost never: looking for
-- repetitions each time a page is full only costs.
-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tokens_compartment', 'tokens_population', 'strings_population', 'dates_resource', 'dates_population',
        'refs_target', 'uris_population', 'quantities_population', 'composites_compartment', 'composites_population',
        'current_pkey', 'current_compartment', 'current_type', 'current_updated', 'versions_pkey', 'versions_seq',
        'versions_compartment', 'versions_resource', 'directory_pkey', 'directory_key'] LOOP
        EXECUTE format('ALTER INDEX records.%I SET (deduplicate_items = off)', name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tokens_compartment', 'tokens_population', 'strings_population', 'dates_resource', 'dates_population',
        'refs_target', 'uris_population', 'quantities_population', 'composites_compartment', 'composites_population',
        'current_pkey', 'current_compartment', 'current_type', 'current_updated', 'versions_pkey', 'versions_seq',
        'versions_compartment', 'versions_resource', 'directory_pkey', 'directory_key'] LOOP
        EXECUTE format('ALTER INDEX records.%I RESET (deduplicate_items)', name);
    END LOOP;
END $$;
-- +goose StatementEnd
