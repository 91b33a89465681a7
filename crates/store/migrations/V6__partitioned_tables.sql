-- Which tables are partitioned by month, and what is done with each new partition. A migration that
-- adds such a table adds a row here, makes the table's default partition, and calls
-- ensure_partitions(12); the function itself need not be replaced any more.
CREATE TABLE partitioned_tables (
    name         text    PRIMARY KEY,
    -- `id`: ranges of UUIDv7 ids; `time`: ranges of timestamptz.
    split_by     text    NOT NULL CHECK (split_by IN ('id', 'time')),
    append_only  boolean NOT NULL,
    -- Storage parameters of its partitions, as in ALTER TABLE ... SET (...).
    parameters   text
);

INSERT INTO partitioned_tables (name, split_by, append_only, parameters) VALUES
    ('records', 'id', false, NULL),
    ('record_references', 'id', false, NULL),
    -- Up to a page, a row stays whole: compressing or moving out a few hundred bytes costs the
    -- append path more than the space is worth.
    ('vault_entries', 'id', true, 'toast_tuple_target = 8160'),
    ('events', 'time', false, NULL),
    ('settlement_signals', 'id', true, NULL),
    ('checkpoints', 'id', true, NULL);

CREATE OR REPLACE FUNCTION ensure_partitions(months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    first date := (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date;
    month date;
    low   timestamptz;
    high  timestamptz;
    base  record;
    part  text;
    bounds text;
    made  integer := 0;
BEGIN
    IF months NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months must be between 0 and 120, not %', months;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('deed.ensure_partitions'));
    FOR step IN 0 .. months + 1 LOOP
        month := (first + make_interval(months => step))::date;
        low := month::timestamp AT TIME ZONE 'UTC';
        high := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
        FOR base IN SELECT * FROM partitioned_tables ORDER BY name LOOP
            part := base.name || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            IF base.split_by = 'time' THEN
                bounds := format('FROM (%L) TO (%L)', low, high);
            ELSE
                bounds := format('FROM (%L) TO (%L)', uuid_floor(low), uuid_floor(high));
            END IF;
            BEGIN
                EXECUTE format(
                    'CREATE TABLE public.%I PARTITION OF %I FOR VALUES %s', part, base.name, bounds);
            EXCEPTION WHEN check_violation THEN
                -- The month came before its partition: its rows stay where they are, correct.
                RAISE WARNING 'rows of % lie in the default partition', part;
                CONTINUE;
            END;
            IF base.parameters IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %I SET (%s)', part, base.parameters);
            END IF;
            IF base.append_only THEN
                PERFORM make_append_only(part::regclass);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Of several indexes that cost the same, PostgreSQL takes the newest; in an empty table, one that ends with
-- the key costs no more than the primary key (skip scans, PostgreSQL 18), but to find one row by it
-- the whole index is read. Plans made while a month's partition is empty are used until its first
-- ANALYZE. So each primary key with such a rival is made again: it must stay the newest.
ALTER TABLE records DROP CONSTRAINT records_pkey, ADD PRIMARY KEY (id);
ALTER TABLE record_references DROP CONSTRAINT record_references_pkey, ADD PRIMARY KEY (record_id, key);
ALTER TABLE api_keys DROP CONSTRAINT api_keys_replaced_by_fkey;
ALTER TABLE api_keys DROP CONSTRAINT api_keys_pkey, ADD PRIMARY KEY (id);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_replaced_by_fkey
    FOREIGN KEY (replaced_by) REFERENCES api_keys;
