//! The queue, the schedules and the replicas as an operator sees them.

use serde_json::{Value, json};

use crate::support::{TestApp, text};

const DEAD: &str = "INSERT INTO jobs (id, kind, org_id, payload, priority, state, run_at, attempt, fence, last_error)
    SELECT uuid_floor(now() - n * interval '1 minute'), 'probe', '00000000-0000-0000-0000-000000000000',
        jsonb_build_object('n', n), 0, 'dead', now(), 5, 5, 'no luck' FROM generate_series(1, 3) n";

#[tokio::test]
async fn dead_jobs_are_listed_and_replayed() {
    let app = TestApp::new().await;
    app.superuser().await.batch_execute(DEAD).await.unwrap();
    let dead = app.all(&app.platform, "/v1/admin/jobs?limit=2").await;
    assert_eq!(dead.len(), 3);
    assert_eq!(dead[0]["payload"]["n"], 1, "newest first");
    assert_eq!(dead[0]["lastError"], "no luck");
    assert_eq!(dead[0]["orgId"], Value::Null);
    let replay = format!("/v1/admin/jobs/{}/replay", text(&dead[0], "/id"));
    let done = app.post(&app.platform, &replay, json!({})).await.ok(200);
    assert_eq!(done["state"], "waiting");
    app.post(&app.platform, &replay, json!({})).await.problem(409, "job-not-dead");
    let waiting = app.all(&app.platform, "/v1/admin/jobs?state=waiting").await;
    assert_eq!((waiting.len(), &waiting[0]["attempt"]), (1, &json!(0)));
    let unknown = "/v1/admin/jobs/00000000-0000-0000-0000-000000000009/replay";
    app.post(&app.platform, unknown, json!({})).await.problem(404, "not-found");
    app.get(&app.platform, "/v1/admin/jobs?state=done").await.problem(400, "state-invalid");
    assert!(app.all(&app.platform, "/v1/admin/jobs?kind=other").await.is_empty());
}

#[tokio::test]
async fn system_health_says_what_needs_attention() {
    let app = TestApp::new().await;
    let path = "/v1/admin/system-health";
    let fresh = app.get(&app.platform, path).await.ok(200);
    assert_eq!(fresh["status"], "attention", "nobody works");
    let client = app.superuser().await;
    let alive =
        "INSERT INTO replicas (id, kind, version) VALUES (gen_random_uuid(), 'worker', '1')";
    client.batch_execute(alive).await.unwrap();
    let fine = app.get(&app.platform, path).await.ok(200);
    assert_eq!((&fine["status"], &fine["attention"]), (&json!("ok"), &json!([])));
    assert_eq!(fine["replicas"][0]["status"], "alive");
    assert!(fine["database"]["latencyMs"].as_f64().unwrap() > 0.0);
    client.batch_execute(DEAD).await.unwrap();
    let ill = app.get(&app.platform, path).await.ok(200);
    assert_eq!(ill["queues"][0]["dead"], 3);
    assert!(text(&ill, "/attention/0").contains("3 dead jobs of kind probe"));
    let silent = "UPDATE replicas SET started_at = now() - interval '2 minutes',
        heartbeat_at = now() - interval '1 minute'";
    client.batch_execute(silent).await.unwrap();
    let gone = app.get(&app.platform, "/v1/admin/replicas").await.ok(200);
    assert_eq!(gone["items"][0]["status"], "gone");
}

const FIGURES: &str = "INSERT INTO job_figures (minute, replica, kind, done, failed, fenced, waits, runs, wait_max, run_max)
    SELECT date_trunc('minute', now()) - ago, gen_random_uuid(), kind, done, 1, 0,
        array_fill(0, ARRAY[3]) || done || array_fill(0, ARRAY[20]), array_fill(0, ARRAY[23]) || done, 0.007, 5000
    FROM (VALUES ('probe', 40, interval '0'), ('probe', 2, interval '50 minutes'),
        ('idle', 7, interval '1 minute'), ('probe', 1000, interval '2 hours')) AS v(kind, done, ago)";

#[tokio::test]
async fn system_health_says_how_the_jobs_of_the_last_hour_fared() {
    let app = TestApp::new().await;
    let client = app.superuser().await;
    client.batch_execute(DEAD).await.unwrap();
    let path = "/v1/admin/system-health";
    let none = app.get(&app.platform, path).await.ok(200);
    let nothing = json!({ "p50Seconds": null, "p99Seconds": null, "maxSeconds": null });
    let never = json!({ "done": 0, "failed": 0, "fenced": 0, "waited": nothing, "ran": nothing });
    assert_eq!(none["queues"][0]["lastHour"], never);
    client.batch_execute(FIGURES).await.unwrap();
    let seen = app.get(&app.platform, path).await.ok(200);
    let (idle, probe) = (&seen["queues"][0], &seen["queues"][1]);
    assert_eq!(
        (&idle["kind"], &idle["waiting"], &idle["lastHour"]["done"]),
        (&json!("idle"), &json!(0), &json!(7))
    );
    assert_eq!((&probe["kind"], &probe["dead"]), (&json!("probe"), &json!(3)));
    let waited = json!({ "p50Seconds": 0.007, "p99Seconds": 0.007, "maxSeconds": 0.007 });
    let ran = json!({ "p50Seconds": 5000.0, "p99Seconds": 5000.0, "maxSeconds": 5000.0 });
    let fared = json!({ "done": 42, "failed": 2, "fenced": 0, "waited": waited, "ran": ran });
    assert_eq!(probe["lastHour"], fared);
}

#[tokio::test]
async fn schedules_show_their_last_and_next_tick() {
    let app = TestApp::new().await;
    let schedule = "INSERT INTO schedules (name, cron, kind, catch_up) VALUES ('yearly', '0 0 1 1 *', 'probe', 'skip');
        INSERT INTO schedule_ticks (schedule, tick, job_id, claimed_by) VALUES ('yearly',
            '2020-01-01T00:00:00Z', gen_random_uuid(), '00000000-0000-0000-0000-000000000007')";
    app.superuser().await.batch_execute(schedule).await.unwrap();
    let listed = app.all(&app.platform, "/v1/admin/schedules").await;
    let yearly = &listed[0];
    assert_eq!(yearly["lastTick"]["at"], "2020-01-01T00:00:00.000Z");
    assert!(text(yearly, "/lastTick/claimedBy").ends_with("0007"));
    assert!(text(yearly, "/nextTick").ends_with("-01-01T00:00:00.000Z"));
}

#[tokio::test]
async fn an_audit_is_asked_for_once_and_shows_how_far_it_is() {
    let app = TestApp::new().await;
    let started = app.post(&app.platform, "/v1/admin/audit", json!({})).await.ok(202);
    let id = text(&started, "/auditId");
    let read = text(&started, "/nextSteps/0/href");
    assert_eq!(read, format!("/v1/admin/audit/{id}"));
    app.post(&app.platform, "/v1/admin/audit", json!({})).await.problem(409, "audit-running");
    let audit = app.get(&app.platform, &read).await.ok(200);
    assert_eq!((&audit["state"], &audit["verdict"]), (&json!("waiting"), &Value::Null));
    let listed = app.all(&app.platform, "/v1/admin/audit").await;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(id)));
    let unknown = "/v1/admin/audit/00000000-0000-0000-0000-000000000009";
    app.get(&app.platform, unknown).await.problem(404, "not-found");
}

#[tokio::test]
async fn system_health_shows_the_anchors() {
    let app = TestApp::new().await;
    let anchors =
        "INSERT INTO replicas (id, kind, version) VALUES (gen_random_uuid(), 'worker', '1');
        INSERT INTO checkpoints (record_id, size, head, statement, body, created_at) VALUES
            (gen_random_uuid(), 1, sha256(''::bytea), '', '', now() - interval '10 minutes');
        INSERT INTO anchors (location, fault) VALUES ('file:///a', NULL), ('s3:b', 'no versions')";
    app.superuser().await.batch_execute(anchors).await.unwrap();
    let health = app.get(&app.platform, "/v1/admin/system-health").await.ok(200);
    assert_eq!(health["anchors"][0]["location"], "file:///a");
    assert_eq!(health["anchors"][0]["checkpointsBehind"], 1);
    assert!(health["anchors"][0]["oldestSeconds"].as_f64().unwrap() >= 600.0);
    assert!(text(&health, "/attention/0").contains("file:///a lacks checkpoints that are "));
    assert_eq!(text(&health, "/attention/1"), "anchor s3:b: no versions");
}
