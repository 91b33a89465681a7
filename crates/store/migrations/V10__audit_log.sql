-- The operational audit log: who did what on this server. It is apart from the vault, which holds what was
-- notarized; agents' appends are there and leave no row here.

CREATE TABLE system_audit_log (
    n           bigint      GENERATED ALWAYS AS IDENTITY,
    id          uuid        NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- `attempt`: before a request was worked on (AUDIT_LOG_FAILURE=refuse); `outcome`: afterwards.
    phase       text        NOT NULL CHECK (phase IN ('attempt', 'outcome')),
    method      text        NOT NULL CHECK (octet_length(method) <= 16),
    route       text        NOT NULL CHECK (octet_length(route) <= 256),
    path        text        NOT NULL CHECK (octet_length(path) <= 512),
    -- HTTP status; NULL for an attempt, and when the client went away before the answer.
    status      smallint,
    problem     text        CHECK (octet_length(problem) <= 128),
    key_id      uuid,
    role        text        CHECK (octet_length(role) <= 16),
    org_id      uuid,
    agent_id    uuid,
    address     text        CHECK (octet_length(address) <= 64),
    request_id  text        NOT NULL CHECK (octet_length(request_id) <= 128),
    duration_ms integer,
    -- Refusals before this one that were too many to be written.
    suppressed  integer     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (created_at);
CREATE INDEX system_audit_log_in_order ON system_audit_log (n);
CREATE INDEX system_audit_log_by_time ON system_audit_log (created_at);
CREATE TABLE system_audit_log_default PARTITION OF system_audit_log DEFAULT;
SELECT make_append_only('system_audit_log');
SELECT make_append_only('system_audit_log_default');
INSERT INTO partitioned_tables (name, split_by, append_only, parameters)
    VALUES ('system_audit_log', 'time', true, NULL);
SELECT ensure_partitions(12);

-- Its horizon, as in event_stream.
CREATE TABLE audit_stream (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    complete  bigint  NOT NULL DEFAULT 0,
    pending   bigint  NOT NULL DEFAULT 0 CHECK (pending >= complete),
    settled   xid8    NOT NULL DEFAULT '0'
) WITH (fillfactor = 50);
INSERT INTO audit_stream DEFAULT VALUES;

-- Drops the oldest month of the log if all of it is older than `days`, at least 90; gives how many were
-- dropped. Single rows can be removed by nobody.
CREATE FUNCTION drop_audit_month(days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    part text;
BEGIN
    IF days < 90 THEN
        RAISE EXCEPTION 'the audit log is kept for at least 90 days, not %', days;
    END IF;
    SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.system_audit_log'::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
    AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month'
        <= (now() AT TIME ZONE 'UTC') - make_interval(days => days)
    ORDER BY c.relname LIMIT 1;
    IF part IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE public.%I', part);
    RETURN 1;
END $$;
