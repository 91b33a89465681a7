-- The gate: who judges the records of a Type, by which rules, and the signals that verdicts give.

-- A constant default and a column without one: neither rewrites the table.
ALTER TABLE record_types
    ADD COLUMN verdict_mode text NOT NULL DEFAULT 'principal',
    ADD COLUMN rules_config text,
    ADD CONSTRAINT verdict_mode_known
        CHECK (verdict_mode IN ('principal', 'auto', 'auto-then-principal')) NOT VALID,
    ADD CONSTRAINT rules_are_for_the_modes_that_use_them
        CHECK ((verdict_mode = 'principal') = (rules_config IS NULL)) NOT VALID,
    ADD CONSTRAINT rules_judge_completions
        CHECK (rules_config IS NULL OR completion_schema IS NOT NULL) NOT VALID;
ALTER TABLE record_types
    VALIDATE CONSTRAINT verdict_mode_known,
    VALIDATE CONSTRAINT rules_are_for_the_modes_that_use_them,
    VALIDATE CONSTRAINT rules_judge_completions;

-- The settlement signal of each verdict, written by the verdict's own transaction. The key is why
-- there is one a verdict, whatever the workers believe.
CREATE TABLE settlement_signals (
    record_id      uuid           NOT NULL,
    -- Of the entry that holds the verdict.
    position       chain_position NOT NULL,
    org_id         uuid           NOT NULL,
    signal         text           NOT NULL CHECK (signal IN ('SETTLE', 'HOLD', 'RELEASE')),
    entry_hash     sha256         NOT NULL,
    key_thumbprint sha256         NOT NULL,
    created_at     timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, position)
) PARTITION BY RANGE (record_id);
CREATE TABLE settlement_signals_default PARTITION OF settlement_signals DEFAULT;
SELECT make_append_only('settlement_signals');
SELECT make_append_only('settlement_signals_default');

-- As in V1, with the partitions of settlement_signals.
CREATE OR REPLACE FUNCTION ensure_partitions(months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    first date := (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date;
    month date;
    low   timestamptz;
    high  timestamptz;
    base  text;
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
        FOREACH base IN ARRAY ARRAY['records', 'record_references', 'vault_entries', 'events',
            'settlement_signals'] LOOP
            part := base || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            IF base = 'events' THEN
                bounds := format('FROM (%L) TO (%L)', low, high);
            ELSE
                bounds := format('FROM (%L) TO (%L)', uuid_floor(low), uuid_floor(high));
            END IF;
            BEGIN
                EXECUTE format(
                    'CREATE TABLE public.%I PARTITION OF %I FOR VALUES %s', part, base, bounds);
            EXCEPTION WHEN check_violation THEN
                -- The month came before its partition: its rows stay where they are, correct.
                RAISE WARNING 'rows of % lie in the default partition', part;
                CONTINUE;
            END;
            IF base = 'vault_entries' THEN
                -- Up to a page, a row stays whole: compressing or moving out a few hundred
                -- bytes costs the append path more than the space is worth.
                EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 8160)', part);
            END IF;
            IF base IN ('vault_entries', 'settlement_signals') THEN
                PERFORM make_append_only(part::regclass);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT ensure_partitions(12);
