-- How jobs fared, minute by minute: each worker adds its own figures, so no two of them write to one
-- row. Figures, not an account: those of a worker's last seconds may be missing.
CREATE TABLE job_figures (
    minute   timestamptz NOT NULL,
    replica  uuid        NOT NULL,
    kind     text        NOT NULL CHECK (octet_length(kind) <= 64),
    -- Attempts by their end: done, failed (also the last ones), refused because others had taken the job over.
    done     bigint      NOT NULL,
    failed   bigint      NOT NULL,
    fenced   bigint      NOT NULL,
    -- Attempts by how long the job had waited since it could have run, and by how long they took, in
    -- the classes of crates/store/src/queue/histogram.rs.
    waits    bigint[]    NOT NULL CHECK (cardinality(waits) = 24),
    runs     bigint[]    NOT NULL CHECK (cardinality(runs) = 24),
    -- The longest of each, in seconds.
    wait_max float8      NOT NULL,
    run_max  float8      NOT NULL,
    PRIMARY KEY (minute, replica, kind)
) WITH (fillfactor = 50);
