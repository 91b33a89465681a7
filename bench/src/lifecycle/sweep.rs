//! Appends with and without the sweep of many deadlines at the same time.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::load::{self, Expect, Latency, Plan, Template, Workload};
use crate::run::StopOnDrop;
use crate::say;
use crate::stack::{CRITERIA, Stack, TYPE_NAME, WORK_TYPE};

/// Connections of the load that makes the records, and of the appends.
const CONNECTIONS: usize = 16;
/// Length of a piece of load: between two pieces the progress is looked at.
const PIECE: Duration = Duration::from_secs(2);
/// Time that the creation of the records may take: their deadline lies behind it.
const MOST_CREATION: Duration = Duration::from_secs(90);
/// Longest wait for the end of the sweep.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was seen.
pub(super) struct Swept {
    pub(super) expired: i64,
    pub(super) seconds: f64,
    /// p99 of appends in milliseconds.
    pub(super) before: f64,
    pub(super) during: f64,
}

impl Swept {
    pub(super) fn ratio(&self) -> f64 {
        self.during / self.before
    }
}

pub(super) async fn run(stack: &Stack, wanted: i64, rate: f64, measure: Duration) -> Result<Swept> {
    let deadline = create(stack, wanted).await?;
    let appends = appends(stack)?;
    piece(stack, &appends, Some(rate), PIECE).await?;
    tokio::time::sleep(deadline.saturating_duration_since(Instant::now())).await;
    let before = piece(stack, &appends, Some(rate), measure).await?;
    let expired = due(stack).await?;
    ensure!(expired >= wanted, "only {expired} records are due");
    // The worker's schedule begins the sweep within ten seconds.
    let worker = stack.worker().await?;
    let end = Instant::now() + PATIENCE;
    while due(stack).await? == expired {
        ensure!(Instant::now() < end, "no sweep began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    let mut during = Latency::new()?;
    loop {
        // A piece is counted only when the sweep ran for all of it.
        let latency = piece(stack, &appends, Some(rate), PIECE).await?;
        if due(stack).await? == 0 {
            break;
        }
        during.add(&latency)?;
        ensure!(Instant::now() < end, "the sweep does not end");
    }
    let seconds = begun.elapsed().as_secs_f64();
    worker.terminate().await?;
    ensure!(during.count() > 0, "the sweep was over before anything could be measured");
    let (before, during) = (before.quantile_ms(0.99), during.quantile_ms(0.99));
    Ok(Swept { expired, seconds, before, during })
}

/// Records whose deadline passes when the creation must have ended.
async fn create(stack: &Stack, wanted: i64) -> Result<Instant> {
    say!("creating {wanted} records with a deadline");
    let sql = "SELECT to_char((now() + $1 * interval '1 second') AT TIME ZONE 'UTC',
        'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let seconds = MOST_CREATION.as_secs_f64();
    let deadline: String = stack.sql().query_one(sql, &[&seconds]).await?.get(0);
    let passed = Instant::now() + MOST_CREATION;
    let body = json!({ "type": WORK_TYPE, "autoActivate": true, "deadline": deadline,
        "criteria": { "what": "refund", "quantity": 10 } });
    let load = Workload::of(vec![template(stack, &body.to_string())?]);
    while due(stack).await? < wanted {
        ensure!(Instant::now() + PIECE < passed, "the creation takes too long");
        piece(stack, &load, None, PIECE).await?;
    }
    Ok(passed)
}

fn appends(stack: &Stack) -> Result<Workload> {
    let body = format!("{{\"type\":\"{TYPE_NAME}\",\"criteria\":{}}}", CRITERIA.trim());
    Ok(Workload::of(vec![template(stack, &body)?]))
}

fn template(stack: &Stack, body: &str) -> Result<Template> {
    let (host, bearer) = (stack.server().address(), stack.agent_key());
    Template::new(host, bearer, "/v1/records", None, body, Expect::Created)
}

/// How many deadlines run.
async fn due(stack: &Stack) -> Result<i64> {
    let sql = "SELECT count(*) FROM records WHERE due_at IS NOT NULL";
    Ok(stack.sql().query_one(sql, &[]).await?.get(0))
}

async fn piece(
    stack: &Stack,
    load: &Workload,
    rate: Option<f64>,
    measure: Duration,
) -> Result<Latency> {
    let plan = Plan {
        address: stack.server().address(),
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        measure,
        rate,
        sample_every: u64::MAX,
        seed: fastrand::u64(..),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_on_drop = StopOnDrop(Arc::clone(&stop));
    let load = load.clone();
    let outcome = tokio::task::spawn_blocking(move || load::run(&plan, &load, &stop)).await??;
    Ok(outcome.created)
}
