//! No-op jobs drained by one `deed worker`, and by npm `pg-boss`, in turn on one PostgreSQL.

mod ours;
mod pg_boss;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::say;
use crate::stack::Base;
use ours::Ours;
use pg_boss::PgBoss;

/// What ours must do of theirs.
const MUST: f64 = 2.0;

/// Options of `queue`.
#[derive(Debug, Args)]
pub(crate) struct QueueOptions {
    /// Jobs of a round.
    #[arg(long, default_value_t = 20_000)]
    jobs: usize,
    /// Rounds that count, after one of each setting that is tried.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
    /// Folder in which npm has installed pg-boss (see `make bench-queue`).
    #[arg(long)]
    pg_boss: PathBuf,
}

/// Runs it on a stack of its own.
pub(crate) async fn run(options: &QueueOptions) -> Result<(bool, Value)> {
    let base = Base::start(options.deed.as_deref(), &[]).await?;
    base.describe().await?.print();
    let mut theirs = PgBoss::start(&base, &options.pg_boss).await?;

    say!("\ntrying settings, a round of {} jobs each", options.jobs);
    let their_best = theirs.best(&base, options.jobs).await?;
    let our_best = Ours::best(&base, options.jobs).await?;

    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    let mut ours = Ours::start(&base, our_best).await?;
    say!("\nround   deed worker      pg-boss");
    for round in 1..=options.rounds {
        let rates = (
            ours.round(&base, options.jobs).await?,
            theirs.round(&base, options.jobs, their_best).await?,
        );
        say!("{round:>5} {:>9.0} jobs/s {:>9.0} jobs/s", rates.0, rates.1);
        our_rates.push(rates.0);
        their_rates.push(rates.1);
    }
    ours.stop().await?;
    let node = theirs.stop().await?;
    let (our_median, their_median) = (median(&mut our_rates), median(&mut their_rates));
    let ratio = our_median / their_median;
    say!(
        "median {our_median:>8.0} jobs/s {their_median:>9.0} jobs/s   ratio {ratio:.2}, must be {MUST}"
    );
    say!(
        "settings: deed worker {}; pg-boss 12.38.0 on Node.js {node}: {}",
        our_best.describe(),
        their_best.describe()
    );
    let environment = base.describe().await?.to_json();
    base.stop().await?;
    let figures = json!({
        "jobs": options.jobs, "rounds": options.rounds, "ratio": (ratio * 100.0).round() / 100.0,
        "deedJobsPerSecond": our_median.round(), "pgBossJobsPerSecond": their_median.round(),
        "deedRounds": our_rates.iter().map(|r| r.round()).collect::<Vec<_>>(),
        "pgBossRounds": their_rates.iter().map(|r| r.round()).collect::<Vec<_>>(),
        "deedSettings": our_best.describe(), "pgBossSettings": their_best.describe(),
        "pgBoss": "12.38.0", "node": node, "environment": environment,
    });
    Ok((ratio >= MUST, figures))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
