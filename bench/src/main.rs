//! Measures Deed against pgbench, and kills it to see that nothing acknowledged is lost.
//!
//! Every suite starts its own PostgreSQL and the real release binary, ends both, and prints one line of
//! JSON last.
#![allow(clippy::print_stdout, reason = "the table and the verdict are this program's output")]

mod anchors;
mod audit;
mod chaos;
mod check;
mod crash;
mod http;
mod lifecycle;
mod load;
mod pgbench;
mod queue;
mod run;
mod stack;
mod webhooks;
mod yardstick;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Prints one line for a person. A reader that went away is no reason to stop in the middle.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($argument)*);
    }};
}
pub(crate) use say;

/// Measures Deed against pgbench, and kills it to see that nothing acknowledged is lost.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Notarize against pgbench's one-row insert, in turn; medians, ratios and thresholds.
    Run(run::RunOptions),
    /// `kill -9` of API processes under load, and the reckoning.
    Crash(crash::CrashOptions),
    /// Concurrent appenders to one record through two API processes.
    Hotchain(crash::hotchain::HotchainOptions),
    /// Workers killed, stopped and misled, and the reckoning of ticks and jobs.
    ChaosWorker(chaos::ChaosOptions),
    /// No-op jobs drained by one worker, and by npm pg-boss, in turn.
    Queue(queue::QueueOptions),
    /// Work under a gate from creation to end, and the sweep of deadlines.
    Lifecycle(lifecycle::LifecycleOptions),
    /// Deliveries to a healthy endpoint, with and without one that hangs with a backlog.
    Webhooks(webhooks::WebhooksOptions),
    /// Anchors in a real S3 server: attacked, taken away, written by workers that are killed.
    Anchors(anchors::AnchorsOptions),
    /// `deed audit` against the bare signature checks.
    Audit(audit::AuditOptions),
    /// pgbench alone: what the machine does without us.
    Yardstick(yardstick::YardstickOptions),
}

impl Suite {
    fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "bench",
            Self::Crash(_) => "crash",
            Self::Hotchain(_) => "hotchain",
            Self::ChaosWorker(_) => "chaos-worker",
            Self::Queue(_) => "bench-queue",
            Self::Lifecycle(_) => "bench-lifecycle",
            Self::Webhooks(_) => "bench-webhooks",
            Self::Anchors(_) => "anchors",
            Self::Audit(_) => "bench-audit",
            Self::Yardstick(_) => "yardstick",
        }
    }

    async fn run(&self) -> Result<(bool, Value)> {
        match self {
            Self::Run(options) => run::run(options).await,
            Self::Crash(options) => crash::run(options).await,
            Self::Hotchain(options) => crash::hotchain::run(options).await,
            Self::ChaosWorker(options) => chaos::run(options).await,
            Self::Queue(options) => queue::run(options).await,
            Self::Lifecycle(options) => lifecycle::run(options).await,
            Self::Webhooks(options) => webhooks::run(options).await,
            Self::Anchors(options) => anchors::run(options).await,
            Self::Audit(options) => audit::run(options).await,
            Self::Yardstick(options) => yardstick::run(options).await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let suite = Arguments::parse().suite;
    // Dropping the suite's future ends its processes and removes its files, as a panic does.
    let result = tokio::select! {
        result = suite.run() => result,
        result = interrupted() => result,
    };
    let (pass, figures) = result.unwrap_or_else(|error| {
        say!("{error:#}");
        (false, json!({"error": format!("{error:#}")}))
    });
    say!("{}", json!({"suite": suite.name(), "pass": pass, "figures": figures}));
    if pass { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends with an error at Ctrl-C or SIGTERM.
async fn interrupted<T>() -> Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    bail!("interrupted")
}
