-- Vault checkpoints: signed statements of how long a chain was and how it ended. Anchors are copies
-- of these outside the database.

CREATE TABLE checkpoints (
    record_id  uuid           NOT NULL,
    -- Number of entries that it covers.
    size       chain_position NOT NULL CHECK (size > 0),
    -- Hash of the last of them.
    head       sha256         NOT NULL,
    statement  bytea          NOT NULL,
    body       bytea          NOT NULL,
    created_at timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, size)
) PARTITION BY RANGE (record_id);
CREATE TABLE checkpoints_default PARTITION OF checkpoints DEFAULT;
SELECT make_append_only('checkpoints');
SELECT make_append_only('checkpoints_default');

-- How far the sweep is in the events, which tell it what chains have advanced. Sequence numbers are
-- handed out before a transaction commits, so one that is not there yet may still come. Those up to
-- `horizon` are complete once every transaction that ran when the horizon was taken has ended.
CREATE TABLE checkpoint_progress (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    done      bigint  NOT NULL DEFAULT 0,
    horizon   bigint  NOT NULL DEFAULT 0 CHECK (horizon >= done),
    -- The transactions before this one must have ended.
    settled   xid8    NOT NULL DEFAULT '0'
);
INSERT INTO checkpoint_progress DEFAULT VALUES;

-- As in V4, with the partitions of checkpoints.
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
            'settlement_signals', 'checkpoints'] LOOP
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
            IF base IN ('vault_entries', 'settlement_signals', 'checkpoints') THEN
                PERFORM make_append_only(part::regclass);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT ensure_partitions(12);
