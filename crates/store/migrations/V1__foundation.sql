-- Everything that one notarization needs. Rules for later migrations: migrations/README.md.

-- Checks of the tables that every append writes are checks of domains: PostgreSQL keeps those ready
-- in memory, but reads the check constraints of a table anew for each statement.
CREATE DOMAIN sha256 AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN chain_position AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN tree_depth AS smallint CHECK (VALUE BETWEEN 0 AND 32);
CREATE DOMAIN record_status AS text CHECK (VALUE IN ('RECORDED'));

-- The one identity of this database. Written once by `deed migrate`, never changed.
CREATE TABLE installation (
    singleton     boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    id            uuid        NOT NULL,
    issuer        text        NOT NULL,
    genesis_entry bytea       NOT NULL,
    genesis_body  bytea       NOT NULL,
    genesis_hash  bytea       NOT NULL CHECK (octet_length(genesis_hash) = 32),
    created_at    timestamptz NOT NULL
);

-- Public keys that have ever signed here. The private key stays in the processes' configuration.
CREATE TABLE signing_keys (
    thumbprint bytea       PRIMARY KEY CHECK (octet_length(thumbprint) = 32),
    public_key bytea       NOT NULL UNIQUE CHECK (octet_length(public_key) = 32),
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired')),
    not_before timestamptz NOT NULL,
    not_after  timestamptz
);

CREATE TABLE orgs (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE agents (
    id         uuid        PRIMARY KEY,
    org_id     uuid        NOT NULL REFERENCES orgs,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, name)
);

-- An agent key acts for one agent, an admin key for one organisation, a platform key for the server.
CREATE TABLE api_keys (
    id            uuid        PRIMARY KEY,
    role          text        NOT NULL CHECK (role IN ('agent', 'admin', 'platform')),
    org_id        uuid        REFERENCES orgs,
    agent_id      uuid        REFERENCES agents,
    label         text        NOT NULL,
    scope_profile text        NOT NULL,
    key_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    hint          text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    replaced_by   uuid        REFERENCES api_keys,
    CHECK ((role = 'platform') = (org_id IS NULL)),
    CHECK ((role = 'agent') = (agent_id IS NOT NULL))
);
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);

-- A version of a Type never changes; only `disabled_at` may be set.
CREATE TABLE record_types (
    org_id            uuid        NOT NULL REFERENCES orgs,
    name              text        NOT NULL,
    version           integer     NOT NULL CHECK (version >= 1),
    record_schema     text        NOT NULL,
    completion_schema text,
    digest            bytea       NOT NULL CHECK (octet_length(digest) = 32),
    description       text        NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL DEFAULT now(),
    disabled_at       timestamptz,
    PRIMARY KEY (org_id, name, version)
);

-- The current state of each record. Ids are UUIDv7, made by the server, so a range of ids is a
-- range of time: partitions by id are partitions by month, and every key may hold the id alone.
CREATE TABLE records (
    id                 uuid        PRIMARY KEY,
    org_id             uuid        NOT NULL,
    type_name          text        NOT NULL,
    type_version       integer     NOT NULL,
    status             record_status NOT NULL,
    principal_agent_id uuid,
    requested_by       text,
    created_by         uuid        NOT NULL,
    parent_id          uuid,
    root_id            uuid        NOT NULL,
    depth              tree_depth  NOT NULL,
    created_at         timestamptz NOT NULL,
    head_position      chain_position NOT NULL,
    head_hash          sha256      NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX records_by_org ON records (org_id, id);
CREATE INDEX records_by_type ON records (org_id, type_name, id);
CREATE INDEX records_by_parent ON records (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX records_by_root ON records (root_id, id) WHERE depth > 0;

-- Join keys of a record (trace id, ticket, order number): few records carry them, so they are
-- rows of their own and cost the others nothing.
CREATE TABLE record_references (
    record_id uuid NOT NULL,
    org_id    uuid NOT NULL,
    key       text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (record_id, key)
) PARTITION BY RANGE (record_id);
CREATE INDEX record_references_by_value ON record_references (org_id, key, value, record_id);

-- The vault: the signed entries. No foreign key, no update, no delete; the two unique keys are
-- the last line of defence behind the advisory lock: one entry a position, one successor a hash.
CREATE TABLE vault_entries (
    record_id uuid           NOT NULL,
    position  chain_position NOT NULL,
    hash      sha256         NOT NULL,
    previous  sha256         NOT NULL,
    entry     bytea          NOT NULL,
    body      bytea          NOT NULL,
    PRIMARY KEY (record_id, position),
    UNIQUE (record_id, previous)
) PARTITION BY RANGE (record_id);

-- The outbox: one row an event, written by the transaction that causes it.
CREATE TABLE events (
    seq        bigint      GENERATED ALWAYS AS IDENTITY,
    org_id     uuid,
    kind       text        NOT NULL,
    record_id  uuid,
    position   bigint,
    created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (created_at);
CREATE INDEX events_by_seq ON events (seq);

-- The answer of every mutation that came with an Idempotency-Key, in the mutation's own transaction.
CREATE TABLE idempotency_keys (
    scope        uuid        NOT NULL,
    key          text        NOT NULL,
    request_hash sha256      NOT NULL,
    status       smallint    NOT NULL,
    response     bytea       NOT NULL,
    sealed       boolean     NOT NULL DEFAULT false,
    -- The vault entry that the response was compressed against; NULL when it is stored as it is.
    record_id    uuid,
    position     bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
) WITH (toast_tuple_target = 8160);

-- Rejects what must never happen to a table of the vault, whoever asks.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'An entry is never changed. A correction is a new entry.';
END $$;

CREATE FUNCTION make_append_only(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
         FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', target);
END $$;

SELECT make_append_only('installation');
SELECT make_append_only('vault_entries');

-- A key may be retired, never removed or altered.
CREATE FUNCTION refuse_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.thumbprint <> OLD.thumbprint OR NEW.public_key <> OLD.public_key
       OR NEW.not_before <> OLD.not_before OR (OLD.status = 'retired' AND NEW.status <> 'retired') THEN
        RAISE EXCEPTION 'a signing key is never altered, only retired'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_retire BEFORE UPDATE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_key_change();
CREATE TRIGGER never_delete BEFORE DELETE OR TRUNCATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The smallest UUIDv7 of an instant: 48 bits of milliseconds, then zeros.
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the partitions of the months from last month to `months` ahead. Safe to repeat. Runs with
-- the owner's rights, because the application role may neither create nor change tables; the search
-- path is fixed, so that no object of the caller's stands in for one of ours.
CREATE FUNCTION ensure_partitions(months integer) RETURNS integer
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
        FOREACH base IN ARRAY ARRAY['records', 'record_references', 'vault_entries', 'events'] LOOP
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
                PERFORM make_append_only(part::regclass);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Rows outside every month land here, so that a late partition upkeep never refuses an append.
CREATE TABLE records_default PARTITION OF records DEFAULT;
CREATE TABLE record_references_default PARTITION OF record_references DEFAULT;
CREATE TABLE vault_entries_default PARTITION OF vault_entries DEFAULT;
CREATE TABLE events_default PARTITION OF events DEFAULT;
SELECT make_append_only('vault_entries_default');
SELECT ensure_partitions(12);
