//! Records at a steady rate, and when each arrives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::endpoints::Endpoints;
use crate::stack::{CRITERIA, Stack, TYPE_NAME};

/// Longest wait for what was notarized last.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notarizes `rate` records a second for so long; gives p50 and p99 of the milliseconds from a record's answer
/// to its arrival.
pub(super) async fn cell(
    stack: &Stack,
    endpoints: &mut Endpoints,
    rate: u64,
    length: Duration,
) -> Result<(f64, f64)> {
    let criteria: Value = serde_json::from_str(CRITERIA)?;
    let body = json!({ "type": TYPE_NAME, "criteria": criteria });
    let (tell, mut answered) = mpsc::unbounded_channel::<(String, Instant)>();
    let (mut client, end) = (stack.agent_client(), Instant::now() + length);
    let writing = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            ticks.tick().await;
            let made = client.create("/v1/records", &body).await?;
            let id = made["record"]["id"].as_str().context("no record in the answer")?;
            // Whoever listens is gone only when the run has failed.
            let _ = tell.send((id.to_owned(), Instant::now()));
        }
        anyhow::Ok(())
    });
    let mut latencies = Vec::new();
    let (mut known, mut arrived) = (HashMap::new(), HashMap::new());
    let mut looks = interval(Duration::from_secs(1));
    let mut open = true;
    while open || latencies.len() < known.len() {
        let event = async {
            tokio::select! {
                answer = answered.recv(), if open => Event::Answered(answer),
                received = endpoints.healthy.received.recv() => Event::Arrived(received),
                _ = looks.tick() => Event::Look,
            }
        };
        match timeout(PATIENCE, event).await.context("nothing happens any more")? {
            Event::Answered(None) => open = false,
            Event::Answered(Some((id, at))) => {
                match arrived.remove(&id) {
                    // It arrived before its answer did.
                    Some(before) => latencies.push(milliseconds(at, before)),
                    None => {
                        known.insert(id, at);
                        continue;
                    }
                }
                known.insert(id, at);
            }
            Event::Arrived(None) => bail!("the endpoint is gone"),
            Event::Arrived(Some(received)) => {
                let now = Instant::now();
                let event: Value = serde_json::from_slice(&received.body)?;
                let id = event["recordId"].as_str().context("an event without a record")?;
                match known.get(id) {
                    Some(at) => latencies.push(milliseconds(*at, now)),
                    None => {
                        arrived.insert(id.to_owned(), now);
                    }
                }
            }
            Event::Look => endpoints.keep_hanging(stack).await?,
        }
    }
    writing.await??;
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize];
    Ok((quantile(0.5), quantile(0.99)))
}

enum Event {
    Answered(Option<(String, Instant)>),
    Arrived(Option<deed_testkit::endpoint::Received>),
    Look,
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}
