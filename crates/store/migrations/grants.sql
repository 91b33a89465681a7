-- What the application role may do; run after every migration. {role} is a quoted identifier.
GRANT USAGE ON SCHEMA public TO {role};
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role};
GRANT SELECT ON installation, signing_keys, orgs, agents, api_keys, record_types, records,
    record_references, vault_entries, events, idempotency_keys, refinery_schema_history,
    jobs, schedules, schedule_ticks, replicas, settlement_signals, checkpoints, event_stream,
    event_consumers, webhooks, webhook_endpoints, webhook_deliveries, anchor_batches, anchors, anchored,
    audits, system_audit_log, audit_stream, job_figures TO {role};
GRANT INSERT ON orgs, agents, api_keys, record_types, records,
    record_references, vault_entries, events, idempotency_keys, settlement_signals,
    checkpoints, anchor_batches, anchors, anchored, audits, system_audit_log TO {role};
GRANT UPDATE (revoked_at, expires_at, replaced_by) ON api_keys TO {role};
GRANT UPDATE (disabled_at) ON record_types TO {role};
GRANT UPDATE (status, head_position, head_hash, performer_agent_id, accessor_agent_id, deadline,
    limits, due_at, revisions, criteria_position, completion_position, verdict_position,
    evaluation_position, dispute_position) ON records TO {role};
GRANT UPDATE (status, response, sealed), DELETE ON idempotency_keys TO {role};
GRANT DELETE ON events TO {role};
GRANT INSERT, DELETE ON jobs, schedule_ticks, replicas, job_figures TO {role};
GRANT INSERT ON schedules TO {role};
GRANT UPDATE (state, run_at, attempt, fence, lease_until, claimed_by, last_error) ON jobs TO {role};
GRANT UPDATE (cron, kind, catch_up, last_tick, from_program) ON schedules TO {role};
GRANT UPDATE (heartbeat_at, draining) ON replicas TO {role};
GRANT UPDATE (done, failed, fenced, waits, runs, wait_max, run_max) ON job_figures TO {role};
GRANT INSERT, DELETE ON webhooks, webhook_endpoints, webhook_deliveries TO {role};
GRANT UPDATE (url, event_types, format, description, secret, previous_secret, previous_until,
    deleted_at) ON webhooks TO {role};
GRANT UPDATE (due_at, leased, claimed_by, fence, paused_at, circuit, failures, last_success_at,
    last_failure_at) ON webhook_endpoints TO {role};
GRANT UPDATE (state, next_at, attempts, last_at, last_status, last_error, last_response, last_ms)
    ON webhook_deliveries TO {role};
GRANT UPDATE (complete, pending, settled, removed) ON event_stream TO {role};
GRANT UPDATE (complete, pending, settled) ON audit_stream TO {role};
GRANT UPDATE (done) ON event_consumers TO {role};
-- The newest number that was handed out; drawing one is the identity column's right.
GRANT SELECT ON SEQUENCE events_seq_seq, system_audit_log_n_seq TO {role};
GRANT UPDATE (complete, fault, checked_at) ON anchors TO {role};
GRANT UPDATE (state, verdict, cursor, progress, findings, started_at, finished_at) ON audits TO {role};
REVOKE EXECUTE ON FUNCTION ensure_partitions(integer), make_append_only(regclass),
    drop_audit_month(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(integer), drop_audit_month(integer) TO {role};
-- Nobody makes temporary objects here: they could stand in for ours in a function of the owner's.
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;
