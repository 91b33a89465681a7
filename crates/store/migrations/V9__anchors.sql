-- Anchors: copies of checkpoints outside the database; and audits of the vault.

-- In the order of signing: those who sign take turns (store/checkpoints.rs), so whoever holds the
-- turn sees every number below the newest one. There may be gaps.
ALTER TABLE checkpoints ADD COLUMN seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY;
CREATE INDEX checkpoints_by_seq ON checkpoints (seq);

-- Which checkpoints one anchor object holds, the same for every anchor. Numbers from 1, no gaps.
CREATE TABLE anchor_batches (
    number     bigint      PRIMARY KEY CHECK (number > 0),
    first_seq  bigint      NOT NULL UNIQUE,
    last_seq   bigint      NOT NULL UNIQUE CHECK (last_seq >= first_seq),
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT make_append_only('anchor_batches');

-- A place that anchors are kept at, known by where it is: another bucket or folder is another
-- anchor, and gets every checkpoint anew.
CREATE TABLE anchors (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    location   text        NOT NULL UNIQUE CHECK (octet_length(location) <= 2048),
    -- Every batch up to this one is there.
    complete   bigint      NOT NULL DEFAULT 0 CHECK (complete >= 0),
    -- What is wrong with its settings, in words; NULL when nothing is.
    fault      text        CHECK (octet_length(fault) <= 4096),
    -- When a worker last found it in its configuration, and looked at its settings.
    checked_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What is there. Written after the object was.
CREATE TABLE anchored (
    anchor_id   bigint      NOT NULL REFERENCES anchors,
    number      bigint      NOT NULL REFERENCES anchor_batches,
    -- Of the object's bytes.
    digest      sha256      NOT NULL,
    -- The version that is under retention; a folder has none.
    version_id  text        CHECK (octet_length(version_id) <= 1024),
    anchored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (anchor_id, number)
);
SELECT make_append_only('anchored');

-- Audits that were asked for over the API.
CREATE TABLE audits (
    id           uuid        PRIMARY KEY,
    -- Also compare with the anchors.
    with_anchors boolean     NOT NULL,
    requested_by uuid        NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
    verdict      text        CHECK (verdict IN ('intact', 'tampered', 'cannot-tell')),
    -- Every chain up to this record is audited: where another worker goes on.
    cursor       uuid,
    -- Counts so far, and what was found: at most 1,000 findings.
    progress     jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(progress) <= 16384),
    findings     jsonb       NOT NULL DEFAULT '[]' CHECK (pg_column_size(findings) <= 2097152),
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    CHECK ((state = 'done') = (verdict IS NOT NULL) AND (state = 'done') = (finished_at IS NOT NULL))
);
