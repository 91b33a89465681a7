//! `deed-bench webhooks`: how long after its answer an event arrives at a healthy endpoint, with and without
//! another endpoint that hangs and has 500,000 deliveries pending.

mod endpoints;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::say;
use crate::stack::{Stack, StackOptions};
use endpoints::Endpoints;

/// How much longer the healthy endpoint's p99 may become.
const MUST: f64 = 1.2;

/// Options of `webhooks`.
#[derive(Debug, Args)]
pub(crate) struct WebhooksOptions {
    /// Counted seconds of each cell.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Rounds, of two cells each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Records per second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// Deliveries that are pending for the endpoint that hangs.
    #[arg(long, default_value_t = 500_000)]
    backlog: i64,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// Runs it on a stack of its own.
pub(crate) async fn run(options: &WebhooksOptions) -> Result<(bool, Value)> {
    let stack = Stack::start(&StackOptions {
        deed: options.deed.clone(),
        servers: 1,
        settings: Vec::new(),
    })
    .await?;
    let environment = stack.describe(&[]).await?;
    environment.print();
    let mut endpoints = Endpoints::start(&stack, options.backlog).await?;
    let worker = stack.worker_with(&endpoints.variables).await?;
    let seconds = Duration::from_secs(options.seconds);
    load::cell(&stack, &mut endpoints, options.rate, Duration::from_secs(3)).await?;

    say!("\nround     alone p50/p99 ms    beside the hanging one p50/p99 ms");
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        endpoints.hang(&stack, false).await?;
        let without = load::cell(&stack, &mut endpoints, options.rate, seconds).await?;
        endpoints.hang(&stack, true).await?;
        let with = load::cell(&stack, &mut endpoints, options.rate, seconds).await?;
        say!("{round:>5} {:>10.1} {:>8.1} {:>20.1} {:>8.1}", without.0, without.1, with.0, with.1);
        alone.push(without.1);
        beside.push(with.1);
    }
    let (tried, pending) = endpoints.of_the_hanging_one(&stack).await?;
    ensure!(tried > 0, "the hanging endpoint was never tried: nothing was measured");
    worker.terminate().await?;
    let (without, with) = (median(&mut alone), median(&mut beside));
    let ratio = with / without;
    say!("median p99 {without:.1} ms alone, {with:.1} ms beside: ratio {ratio:.2}, at most {MUST}");
    say!("the hanging one: {tried} attempts, {pending} deliveries pending");
    let figures = json!({
        "ratio": (ratio * 100.0).round() / 100.0, "p99MsAlone": without, "p99MsBeside": with,
        "roundsAlone": alone, "roundsBeside": beside, "recordsPerSecond": options.rate,
        "seconds": options.seconds, "backlog": options.backlog, "pendingAtTheEnd": pending,
        "attemptsOfTheHangingOne": tried, "environment": environment.to_json(),
    });
    stack.stop().await?;
    Ok((ratio <= MUST, figures))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
