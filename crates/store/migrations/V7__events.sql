-- The outbox is read: by the checkpoints, by webhooks, by the feed.

-- What an event says that is about no record; the others are read from the record and its entry.
-- The domain gets its check below, as in V3; the append path does not name the column.
CREATE DOMAIN event_data AS jsonb;
ALTER TABLE events ADD COLUMN data event_data;
ALTER DOMAIN event_data ADD CHECK (pg_column_size(VALUE) <= 65536) NOT VALID;

-- Sequence numbers are handed out before a transaction commits, so one that is not there yet may still
-- come. Those up to `pending` have all been handed out to transactions that are older than `settled`;
-- once these have ended, `complete` may follow. There is one horizon for everybody who reads.
CREATE TABLE event_stream (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Makes ids of sequence numbers (deed_notify::event_id), and seals cursors.
    key       bytea   NOT NULL CHECK (octet_length(key) = 32),
    -- Every event up to here is committed, or will never be.
    complete  bigint  NOT NULL DEFAULT 0,
    pending   bigint  NOT NULL DEFAULT 0,
    settled   xid8    NOT NULL DEFAULT '0',
    -- Events up to here were removed by the retention sweep, wholly or in part.
    removed   bigint  NOT NULL DEFAULT 0,
    CHECK (removed <= complete AND complete <= pending)
) WITH (fillfactor = 50);
INSERT INTO event_stream (key) VALUES
    (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- Who must have seen an event before it may be removed, and how far each is. Whoever reads locks its
-- row: a second reader of the same name waits and goes on where the first one ended.
CREATE TABLE event_consumers (
    name text   PRIMARY KEY CHECK (octet_length(name) <= 64),
    done bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO event_consumers (name, done) SELECT 'checkpoints', done FROM checkpoint_progress;
DROP TABLE checkpoint_progress;
