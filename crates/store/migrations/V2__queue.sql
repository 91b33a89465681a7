-- The queue of the worker tier, its schedules, and the processes that serve.

CREATE DOMAIN job_state AS text CHECK (VALUE IN ('waiting', 'active', 'dead'));
CREATE DOMAIN job_payload AS jsonb CHECK (pg_column_size(VALUE) <= 65536);
-- Smaller runs first, among the jobs of one organisation.
CREATE DOMAIN job_priority AS smallint CHECK (VALUE BETWEEN -4 AND 4);

-- One row a job that is not finished; a finished one is deleted by the statement that finishes it,
-- so the table is as small as the backlog. Times are the database's.
CREATE TABLE jobs (
    id          uuid         PRIMARY KEY,
    kind        text         NOT NULL,
    -- Whose turn it takes. The nil UUID is the server itself.
    org_id      uuid         NOT NULL,
    record_id   uuid,
    unique_key  text,
    payload     job_payload  NOT NULL,
    priority    job_priority NOT NULL,
    state       job_state    NOT NULL DEFAULT 'waiting',
    -- Not before this time; of a dead job, the time of its last failure.
    run_at      timestamptz  NOT NULL,
    enqueued_at timestamptz  NOT NULL DEFAULT now(),
    -- Claims that counted, and the fencing token: it grows with every claim, and whoever finishes,
    -- extends or gives back the job must present the one of his claim.
    attempt     integer      NOT NULL DEFAULT 0,
    fence       bigint       NOT NULL DEFAULT 0,
    lease_until timestamptz,
    claimed_by  uuid,
    last_error  text,
    CONSTRAINT active_is_leased CHECK (
        (state = 'active') = (lease_until IS NOT NULL) AND (state = 'active') = (claimed_by IS NOT NULL)),
    CONSTRAINT claims_are_counted CHECK (attempt >= 0 AND fence >= attempt),
    CONSTRAINT active_was_claimed CHECK (state <> 'active' OR fence > 0),
    CONSTRAINT texts_are_bounded CHECK (octet_length(kind) <= 64 AND octet_length(unique_key) <= 255
        AND octet_length(last_error) <= 4096)
) WITH (
    -- Room on each page for the versions that claims and heartbeats make, and a vacuum that does
    -- not wait for a fifth of the table to be dead.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
-- A claim walks this index from organisation to organisation, one probe each (queue/claim.rs).
CREATE INDEX jobs_waiting ON jobs (kind, org_id, priority, run_at, id) WHERE state = 'waiting';
-- What is leased: as small as the workers' hands. It holds no time, so that a heartbeat is HOT.
CREATE INDEX jobs_active ON jobs (kind) WHERE state = 'active';
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key)
    WHERE unique_key IS NOT NULL AND state <> 'dead';

-- What recurs. The rows come from the program (crates/worker/src/schedules.rs).
CREATE TABLE schedules (
    name      text        PRIMARY KEY CHECK (octet_length(name) <= 64),
    -- Five or six fields (seconds first), in UTC.
    cron      text        NOT NULL CHECK (octet_length(cron) <= 128),
    kind      text        NOT NULL CHECK (octet_length(kind) <= 64),
    -- What becomes of ticks that passed while no worker ran.
    catch_up  text        NOT NULL CHECK (catch_up IN ('skip', 'latest', 'all')),
    -- Every tick up to here is decided: enqueued, or skipped by the policy.
    last_tick timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- A tick that was enqueued. The key is why it is enqueued once, whatever the workers believe.
CREATE TABLE schedule_ticks (
    schedule   text        NOT NULL REFERENCES schedules,
    tick       timestamptz NOT NULL CHECK (date_trunc('second', tick) = tick),
    job_id     uuid        NOT NULL,
    claimed_by uuid        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schedule, tick)
);

-- Every process that serves, while it lives and a while after.
CREATE TABLE replicas (
    id           uuid        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('api', 'worker')),
    version      text        NOT NULL CHECK (octet_length(version) <= 64),
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    draining     boolean     NOT NULL DEFAULT false,
    CHECK (heartbeat_at >= started_at)
) WITH (fillfactor = 50);
