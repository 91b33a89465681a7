-- Work under a gate: the columns that the lifecycle needs. All of them are NULL for a record that
-- was only notarized, and NULL takes no room in a row.

-- Widening a check needs no look at what is there: NOT VALID applies to new values alone.
ALTER DOMAIN record_status DROP CONSTRAINT record_status_check;
ALTER DOMAIN record_status ADD CONSTRAINT record_status_known CHECK (VALUE IN (
    'DRAFT', 'PROPOSED', 'ACCEPTED', 'ACTIVE', 'EVALUATING', 'AWAITING_VERDICT',
    'AWAITING_CONFIRMATION', 'REWORK', 'DISPUTED_TIER_1', 'DISPUTED_TIER_2', 'DISPUTED_TIER_3',
    'RECORDED', 'FULFILLED', 'FAILED', 'EXPIRED', 'CANCELLED', 'REJECTED', 'REMEDIATED')) NOT VALID;

-- The domains get their checks below, when the columns are there: a new column of a type that
-- is checked already would rewrite the table.
CREATE DOMAIN verdict_mode AS text;
CREATE DOMAIN revision_count AS smallint;
CREATE DOMAIN record_limits AS text;
CREATE DOMAIN entry_position AS bigint;

ALTER TABLE records
    -- Who judges. NULL: the record was notarized and has no gate.
    ADD COLUMN verdict_mode        verdict_mode,
    -- Who does the work.
    ADD COLUMN performer_agent_id  uuid,
    -- Third party of a dispute, of any organisation: may read this chain.
    ADD COLUMN accessor_agent_id   uuid,
    -- What it may not exceed, and neither may what is delegated below it. Inherited by children of
    -- every kind, so that a notarized record between two others does not break the line.
    ADD COLUMN deadline            timestamptz,
    ADD COLUMN limits              record_limits,
    -- The deadline while it runs, for the sweep; NULL once a completion is there.
    ADD COLUMN due_at              timestamptz,
    -- Revisions asked for.
    ADD COLUMN revisions           revision_count,
    -- Entries that hold what is in force: criteria (NULL: the first), completion, verdict, the
    -- newest judgement of the rules, and the dispute.
    ADD COLUMN criteria_position   entry_position,
    ADD COLUMN completion_position entry_position,
    ADD COLUMN verdict_position    entry_position,
    ADD COLUMN evaluation_position entry_position,
    ADD COLUMN dispute_position    entry_position;

ALTER DOMAIN verdict_mode ADD CHECK (VALUE IN ('principal', 'auto', 'auto-then-principal')) NOT VALID;
ALTER DOMAIN revision_count ADD CHECK (VALUE BETWEEN 0 AND 5) NOT VALID;
-- Numbers by name, canonical JSON.
ALTER DOMAIN record_limits ADD CHECK (octet_length(VALUE) <= 4096) NOT VALID;
ALTER DOMAIN entry_position ADD CHECK (VALUE >= 0) NOT VALID;

-- No row has a value yet, so both are empty: building them is one scan a partition and no sort.
CREATE INDEX records_due ON records (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX records_by_performer ON records (org_id, performer_agent_id, id)
    WHERE performer_agent_id IS NOT NULL;
