-- Webhooks: who is told of which events, what is to be delivered to each, and how it went.

-- What was asked for. The secrets are sealed by the program (webhooks/seal.rs).
CREATE TABLE webhooks (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL REFERENCES orgs,
    created_by      uuid        NOT NULL REFERENCES api_keys,
    description     text        NOT NULL CHECK (octet_length(description) <= 1024),
    url             text        NOT NULL CHECK (octet_length(url) <= 2048),
    -- Names of types, or '*' alone.
    event_types     text[]      NOT NULL CHECK (cardinality(event_types) BETWEEN 1 AND 100),
    format          text        NOT NULL CHECK (format IN ('standard', 'cloudevents')),
    signing_alg     text        NOT NULL CHECK (signing_alg IN ('hmac', 'ed25519')),
    secret          bytea       CHECK (octet_length(secret) <= 128),
    -- After a rotation, until this time, what is delivered is signed with both.
    previous_secret bytea       CHECK (octet_length(previous_secret) <= 128),
    previous_until  timestamptz,
    created_at      timestamptz NOT NULL,
    -- Events of transactions that began earlier, by the database's clock, are not its.
    begins_at       timestamptz NOT NULL DEFAULT now(),
    -- Nobody sees it any more; the retention sweep removes its deliveries, then itself.
    deleted_at      timestamptz,
    CHECK ((signing_alg = 'hmac') = (secret IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);
CREATE INDEX webhooks_by_org ON webhooks (org_id, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_deleted ON webhooks (id) WHERE deleted_at IS NOT NULL;

-- How each endpoint is, and which worker has it in hand. Apart from `webhooks`, because this changes
-- with every batch.
CREATE TABLE webhook_endpoints (
    webhook_id   uuid        PRIMARY KEY REFERENCES webhooks,
    -- When a worker should look at it; NULL when there is nothing to do. While a worker has it, the end
    -- of the lease: an endpoint of a worker that died becomes due by itself.
    due_at       timestamptz,
    leased       boolean     NOT NULL DEFAULT false,
    claimed_by   uuid,
    -- Grows with every claim; whoever settles must present the one of his claim.
    fence        bigint      NOT NULL DEFAULT 0,
    paused_at    timestamptz,
    circuit      text        NOT NULL DEFAULT 'closed' CHECK (circuit IN ('closed', 'open', 'half_open')),
    failures     integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_success_at timestamptz,
    last_failure_at timestamptz,
    CHECK (leased = (claimed_by IS NOT NULL)),
    CHECK (NOT leased OR due_at IS NOT NULL)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100,
    autovacuum_vacuum_cost_delay = 0);
CREATE INDEX webhook_endpoints_due ON webhook_endpoints (due_at) WHERE due_at IS NOT NULL;

CREATE DOMAIN webhook_delivery_state AS text CHECK (VALUE IN ('pending', 'delivered', 'dead'));

-- One row for each event and webhook that wants it, and the log of how the delivery went.
CREATE TABLE webhook_deliveries (
    -- UUIDv7 of the time when it was added.
    id            uuid        PRIMARY KEY,
    webhook_id    uuid        NOT NULL REFERENCES webhooks,
    -- Place of the event in the outbox; NULL for a test, which goes first.
    seq           bigint,
    -- `webhook-id`: the event's id, the same for every attempt and every replay.
    event_id      uuid        NOT NULL,
    event_type    text        NOT NULL,
    record_id     uuid,
    -- What is posted, byte for byte.
    body          bytea       NOT NULL,
    state         webhook_delivery_state NOT NULL DEFAULT 'pending',
    -- NULL: as soon as it is its turn. Otherwise not before this time, after a failure.
    next_at       timestamptz,
    attempts      integer     NOT NULL DEFAULT 0,
    last_at       timestamptz,
    last_status   smallint,
    last_error    text        CHECK (octet_length(last_error) <= 1024),
    last_response text        CHECK (octet_length(last_response) <= 4096),
    last_ms       integer,
    -- The last line of defence: no event is added twice.
    UNIQUE (webhook_id, seq)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- A batch of an endpoint is the front of these two, however long they are.
CREATE INDEX webhook_deliveries_ready ON webhook_deliveries (webhook_id, seq NULLS FIRST)
    WHERE state = 'pending' AND next_at IS NULL;
CREATE INDEX webhook_deliveries_retry ON webhook_deliveries (webhook_id, next_at, seq)
    WHERE state = 'pending' AND next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, state, id);
CREATE INDEX webhook_deliveries_settled ON webhook_deliveries (id) WHERE state <> 'pending';
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (id) WHERE state = 'pending';

-- Events are handed out to webhooks in their order (V7).
INSERT INTO event_consumers (name, done) SELECT 'webhooks', complete FROM event_stream;
