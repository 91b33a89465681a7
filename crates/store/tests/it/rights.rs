//! Exactly the rights that the application needs, and no others.

use std::collections::BTreeMap;

use deed_testkit::APP_ROLE;
use tokio_postgres::Client;

use crate::support::{connect, count, database};

/// What the application role may do with whole tables, and with single columns. Partitions are
/// reached through their parents, so none is listed.
const TABLES: [(&str, &str); 30] = [
    ("agents", "INSERT SELECT"),
    ("anchor_batches", "INSERT SELECT"),
    ("anchored", "INSERT SELECT"),
    ("anchors", "INSERT SELECT"),
    ("api_keys", "INSERT SELECT"),
    ("audit_stream", "SELECT"),
    ("audits", "INSERT SELECT"),
    ("checkpoints", "INSERT SELECT"),
    ("event_consumers", "SELECT"),
    ("event_stream", "SELECT"),
    ("events", "DELETE INSERT SELECT"),
    ("idempotency_keys", "DELETE INSERT SELECT"),
    ("installation", "SELECT"),
    ("job_figures", "DELETE INSERT SELECT"),
    ("jobs", "DELETE INSERT SELECT"),
    ("orgs", "INSERT SELECT"),
    ("record_references", "INSERT SELECT"),
    ("record_types", "INSERT SELECT"),
    ("records", "INSERT SELECT"),
    ("refinery_schema_history", "SELECT"),
    ("replicas", "DELETE INSERT SELECT"),
    ("schedule_ticks", "DELETE INSERT SELECT"),
    ("schedules", "INSERT SELECT"),
    ("settlement_signals", "INSERT SELECT"),
    ("signing_keys", "SELECT"),
    ("system_audit_log", "INSERT SELECT"),
    ("vault_entries", "INSERT SELECT"),
    ("webhook_deliveries", "DELETE INSERT SELECT"),
    ("webhook_endpoints", "DELETE INSERT SELECT"),
    ("webhooks", "DELETE INSERT SELECT"),
];
const UPDATES: [(&str, &str); 16] = [
    ("anchors", "checked_at complete fault"),
    ("api_keys", "expires_at replaced_by revoked_at"),
    ("audit_stream", "complete pending settled"),
    ("audits", "cursor findings finished_at progress started_at state verdict"),
    ("event_consumers", "done"),
    ("event_stream", "complete pending removed settled"),
    ("idempotency_keys", "response sealed status"),
    ("job_figures", "done failed fenced run_max runs wait_max waits"),
    ("jobs", "attempt claimed_by fence last_error lease_until run_at state"),
    ("record_types", "disabled_at"),
    (
        "records",
        "accessor_agent_id completion_position criteria_position deadline dispute_position due_at \
         evaluation_position head_hash head_position limits performer_agent_id revisions status \
         verdict_position",
    ),
    ("replicas", "draining heartbeat_at"),
    ("schedules", "catch_up cron from_program kind last_tick"),
    (
        "webhook_deliveries",
        "attempts last_at last_error last_ms last_response last_status next_at state",
    ),
    (
        "webhook_endpoints",
        "circuit claimed_by due_at failures fence last_failure_at last_success_at leased paused_at",
    ),
    (
        "webhooks",
        "deleted_at description event_types format previous_secret previous_until secret url",
    ),
];
const SEQUENCES: [(&str, &str); 2] =
    [("events_seq_seq", "SELECT"), ("system_audit_log_n_seq", "SELECT")];
const FUNCTIONS: [&str; 5] =
    ["drop_audit_month", "ensure_partitions", "refuse_change", "refuse_key_change", "uuid_floor"];

async fn pairs(client: &Client, sql: &str) -> BTreeMap<String, String> {
    let rows = client.query(sql, &[&APP_ROLE]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn expected(table: &[(&str, &str)]) -> BTreeMap<String, String> {
    table.iter().map(|(name, rights)| ((*name).to_owned(), (*rights).to_owned())).collect()
}

/// Relations of every schema that is not PostgreSQL's own.
const RELATIONS: &str = "SELECT c.oid, c.relname::text, c.relkind FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname NOT LIKE 'pg_temp%' AND n.nspname NOT LIKE 'pg_toast_temp%'";

#[tokio::test]
async fn the_application_role_has_the_listed_rights_on_tables_and_no_others() {
    let database = database().await;
    let client = connect(&database.urls().superuser).await;
    // Effective rights: whatever way they were granted, also to PUBLIC.
    let sql = format!(
        "SELECT r.relname, string_agg(p, ' ' ORDER BY p) FROM ({RELATIONS}) r,
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER',
             'MAINTAIN']) p
         WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege($1, r.oid, p)
         GROUP BY 1"
    );
    assert_eq!(pairs(&client, &sql).await, expected(&TABLES));
    let sql = format!(
        "SELECT r.relname, string_agg(a.attname, ' ' ORDER BY a.attname) FROM ({RELATIONS}) r
         JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f')
         AND has_column_privilege($1, r.oid, a.attnum, 'UPDATE') GROUP BY 1"
    );
    assert_eq!(pairs(&client, &sql).await, expected(&UPDATES));
    let sql = format!(
        "SELECT r.relname, a.attname::text FROM ({RELATIONS}) r
         JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
         WHERE r.relkind IN ('r', 'p') AND has_column_privilege($1, r.oid, a.attnum, 'REFERENCES')"
    );
    assert!(pairs(&client, &sql).await.is_empty());
    let sql = format!(
        "SELECT r.relname, p FROM ({RELATIONS}) r, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
         WHERE r.relkind = 'S' AND has_sequence_privilege($1, r.oid, p)"
    );
    assert_eq!(pairs(&client, &sql).await, expected(&SEQUENCES));
}

#[tokio::test]
async fn the_application_role_makes_nothing_and_is_nobody_else() {
    let database = database().await;
    let client = connect(&database.urls().superuser).await;
    let sql = "SELECT proname::text, '' FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public'
        WHERE has_function_privilege($1, p.oid, 'EXECUTE')";
    let functions: Vec<String> = pairs(&client, sql).await.into_keys().collect();
    assert_eq!(functions, FUNCTIONS);
    let sql = "SELECT nspname::text, '' FROM pg_namespace
        WHERE has_schema_privilege($1, oid, 'CREATE') AND nspname NOT LIKE 'pg_temp%'";
    assert!(pairs(&client, sql).await.is_empty());
    let sql = "SELECT datname::text, '' FROM pg_database
        WHERE datname = current_database() AND has_database_privilege($1, oid, 'CREATE')";
    assert!(pairs(&client, sql).await.is_empty());
    let sql = "SELECT rolname::text, '' FROM pg_roles WHERE rolname = $1 AND (rolsuper
        OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)";
    assert!(pairs(&client, sql).await.is_empty());
    let sql = "SELECT roleid::regrole::text, '' FROM pg_auth_members
        WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1)";
    assert!(pairs(&client, sql).await.is_empty());
}

#[tokio::test]
async fn a_right_that_was_given_by_hand_is_taken_back_by_the_next_migration() {
    let database = database().await;
    let owner = connect(&database.urls().owner).await;
    let grant = format!(
        "GRANT ALL ON vault_entries, orgs TO {APP_ROLE}; GRANT UPDATE (name) ON agents TO {APP_ROLE}"
    );
    owner.batch_execute(&grant).await.unwrap();
    let signer = crate::support::signer();
    let issuer = crate::support::ISSUER;
    crate::support::run_migrations(&database.urls().owner, issuer, &signer).await.unwrap();
    let app = connect(&database.urls().app).await;
    let any = "SELECT count(*) FROM information_schema.role_table_grants
        WHERE grantee = current_user AND privilege_type IN ('UPDATE', 'TRUNCATE', 'TRIGGER')";
    assert_eq!(count(&app, any).await, 0);
    let column = "SELECT has_column_privilege('agents', 'name', 'UPDATE')::int::int8";
    assert_eq!(count(&app, column).await, 0);
}
