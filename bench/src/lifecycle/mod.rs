//! `deed-bench lifecycle`: work under a gate from its creation to its end, over HTTP, and the sweep of
//! 100,000 deadlines while appends run.

mod cycle;
mod sweep;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::run::parse_setting;
use crate::say;
use crate::stack::{Stack, StackOptions};
use cycle::Judge;

/// Clients that work at the same time.
const CLIENTS: usize = 16;
/// Lifecycles per second that must be reached.
const MUST_RATE: f64 = 400.0;
/// How much longer the appends' p99 may become while the sweep runs.
const MUST_SWEEP: f64 = 2.0;

/// Options of `lifecycle`.
#[derive(Debug, Args)]
pub(crate) struct LifecycleOptions {
    /// Counted seconds of each cell.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds before each cell that are not counted.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Records whose deadline passes.
    #[arg(long, default_value_t = 100_000)]
    expired: i64,
    /// Appends per second while the sweep runs, and before.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
    /// Further setting of PostgreSQL; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    postgres_setting: Vec<(String, String)>,
}

/// Runs it on a stack of its own.
pub(crate) async fn run(options: &LifecycleOptions) -> Result<(bool, Value)> {
    let stack = Stack::start(&StackOptions {
        deed: options.deed.clone(),
        servers: 1,
        settings: options.postgres_setting.clone(),
    })
    .await?;
    let environment = stack.describe(&options.postgres_setting).await?;
    environment.print();
    let (measure, warm_up) =
        (Duration::from_secs(options.seconds), Duration::from_secs(options.warm_up));
    let worker = stack.worker().await?;
    say!("\njudge       lifecycles/s   p50 ms   p99 ms   create to terminal, {CLIENTS} clients");
    let mut figures = json!({ "clients": CLIENTS, "seconds": options.seconds });
    let mut pass = true;
    for judge in [Judge::Principal, Judge::Rules] {
        let cell = cycle::run(&stack, judge, CLIENTS, warm_up, measure).await?;
        let (p50, p99) = (cell.latency.quantile_ms(0.5), cell.latency.quantile_ms(0.99));
        let rate = cell.latency.count() as f64 / measure.as_secs_f64();
        say!("{:<11} {rate:>12.0} {p50:>8.1} {p99:>8.1}", judge.name());
        pass &= rate >= MUST_RATE;
        figures[judge.name()] = json!({
            "perSecond": rate.round(), "p50Ms": p50, "p99Ms": p99,
            "lifecycles": cell.latency.count(), "signals": cell.signals,
        });
    }
    worker.terminate().await?;
    let swept = sweep::run(&stack, options.expired, options.rate, measure).await?;
    pass &= swept.ratio() <= MUST_SWEEP;
    say!(
        "\nsweep of {} records in {:.1} s ({:.0}/s): append p99 {:.2} ms, before {:.2} ms, ratio {:.2} (at most {MUST_SWEEP})",
        swept.expired,
        swept.seconds,
        swept.expired as f64 / swept.seconds,
        swept.during,
        swept.before,
        swept.ratio()
    );
    figures["sweep"] = json!({
        "expired": swept.expired, "seconds": swept.seconds, "appendsPerSecond": options.rate,
        "p99MsBefore": swept.before, "p99MsDuring": swept.during, "ratio": swept.ratio(),
    });
    figures["environment"] = environment.to_json();
    stack.stop().await?;
    Ok((pass, figures))
}
