//! One lifecycle after the other: create and activate, hand in, verdict, settlement signal.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Client, Request};
use crate::load::Latency;
use crate::stack::{AUTO_TYPE, Stack, WORK_TYPE};

/// Pause between two looks at a record that the rules have still to judge.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long the rules may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who gives the verdict.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// The client itself, as the principal.
    Principal,
    /// The rules, in a job of the worker; the client looks until the record has ended.
    Rules,
}

impl Judge {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Rules => "rules",
        }
    }
}

/// What a cell measured.
pub(super) struct Cell {
    /// From the first byte of the creation to the answer that shows the terminal state.
    pub(super) latency: Latency,
    /// Settlement signals of these records, as the database has them: one each.
    pub(super) signals: i64,
}

/// Runs `clients` for so long; what began in the warm-up is not counted.
pub(super) async fn run(
    stack: &Stack,
    judge: Judge,
    clients: usize,
    warm_up: Duration,
    measure: Duration,
) -> Result<Cell> {
    let before = signals(stack).await?;
    let counted = Instant::now() + warm_up;
    let end = counted + measure;
    let mut working = JoinSet::new();
    for n in 0..clients {
        let client = stack.agent_client();
        let name = format!("{}-{n}-{}", judge.name(), fastrand::u64(..));
        working.spawn(work(client, judge, name, counted, end));
    }
    let mut latency = Latency::new()?;
    let mut all = 0;
    while let Some(done) = working.join_next().await {
        let (of_client, lifecycles) = done??;
        latency.add(&of_client)?;
        all += lifecycles;
    }
    let signals = signals(stack).await? - before;
    ensure!(signals == all, "{all} lifecycles gave {signals} settlement signals");
    Ok(Cell { latency, signals })
}

async fn signals(stack: &Stack) -> Result<i64> {
    let sql = "SELECT count(*) FROM events WHERE kind = 'signal.emitted'";
    Ok(stack.sql().query_one(sql, &[]).await?.get(0))
}

async fn work(
    mut client: Client,
    judge: Judge,
    name: String,
    counted: Instant,
    end: Instant,
) -> Result<(Latency, i64)> {
    let mut latency = Latency::new()?;
    let mut lifecycles = 0;
    while Instant::now() < end {
        let begun = Instant::now();
        lifecycle(&mut client, judge, &format!("{name}-{lifecycles}")).await?;
        lifecycles += 1;
        let done = Instant::now();
        if begun >= counted && done <= end {
            latency.record(done - begun);
        }
    }
    Ok((latency, lifecycles))
}

async fn lifecycle(client: &mut Client, judge: Judge, key: &str) -> Result<()> {
    let type_name = match judge {
        Judge::Principal => WORK_TYPE,
        Judge::Rules => AUTO_TYPE,
    };
    let wanted = json!({ "type": type_name, "autoActivate": true,
        "criteria": { "what": "refund", "quantity": 10 } });
    let made = post(client, "/v1/records", &format!("{key}-c"), &wanted, 201).await?;
    let id = made["record"]["id"].as_str().context("no id")?.to_owned();
    let done = json!({ "completion": { "quantity": 10, "reference": "R-4711" } });
    let path = format!("/v1/records/{id}/completions");
    post(client, &path, &format!("{key}-d"), &done, 200).await?;
    match judge {
        Judge::Principal => {
            let path = format!("/v1/records/{id}/outcome");
            let verdict = json!({ "outcome": "accept" });
            let ended = post(client, &path, &format!("{key}-v"), &verdict, 200).await?;
            ensure!(ended["record"]["status"] == "FULFILLED", "{}", ended["record"]);
        }
        Judge::Rules => until_ended(client, &id).await?,
    }
    Ok(())
}

async fn until_ended(client: &mut Client, id: &str) -> Result<()> {
    let path = format!("/v1/records/{id}");
    let end = Instant::now() + PATIENCE;
    loop {
        let record = client.get_json(&path).await?;
        if record["status"] == "FULFILLED" {
            return Ok(());
        }
        ensure!(record["status"] == "EVALUATING", "the rules say {}", record["status"]);
        ensure!(Instant::now() < end, "no verdict after {} s", PATIENCE.as_secs());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn post(
    client: &mut Client,
    path: &str,
    key: &str,
    body: &Value,
    expected: u16,
) -> Result<Value> {
    let bytes = serde_json::to_vec(body)?;
    let reply = client.send(&Request::post(path, Some(key), &bytes)).await?;
    reply.expect(expected).with_context(|| format!("POST {path}"))
}
