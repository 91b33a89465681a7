//! `deed-bench run`: pgbench's one-row insert and our notarize, in turn, on one PostgreSQL.

mod cells;
mod measure;
mod report;
mod verdict;
mod workloads;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::say;
use crate::stack::{Stack, StackOptions};
use cells::Cells;

/// Connections of the comparison with the yardstick.
pub(crate) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// Options of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Rounds; every figure is the median over them.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Counted seconds of each cell.
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
    /// Seconds before each cell that are not counted.
    #[arg(long, default_value_t = 3)]
    pub(crate) warm_up: u64,
    /// One round of 3 seconds a cell: shows that everything runs, measures nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these cells; may be repeated.
    #[arg(long, value_enum)]
    pub(crate) only: Vec<CellName>,
    /// Requests per second of the open-loop cell; 70 per cent of the closed loop's rate by default.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    pub(crate) deed: Option<PathBuf>,
    /// Leave the yardstick out: only our own numbers, for working on the server.
    #[arg(long)]
    pub(crate) no_yardstick: bool,
    /// Further setting of PostgreSQL, for both sides; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub(crate) postgres_setting: Vec<(String, String)>,
}

pub(crate) fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What `--only` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CellName {
    /// Yardstick and notarize at 1 connection.
    #[value(name = "1")]
    C1,
    /// At 16 connections.
    #[value(name = "16")]
    C16,
    /// At 64 connections.
    #[value(name = "64")]
    C64,
    /// At 256 connections, and resident memory there.
    #[value(name = "256")]
    C256,
    /// Notes to one record against notes spread over many, at 64 connections.
    Hot,
    /// One per cent of invalid items against none, at 64 connections.
    Invalid,
    /// The open loop, at 64 connections.
    Open,
}

impl CellName {
    /// The comparison cell of so many connections.
    fn of(connections: usize) -> Self {
        match connections {
            1 => Self::C1,
            16 => Self::C16,
            64 => Self::C64,
            _ => Self::C256,
        }
    }
}

/// The lengths that are in force.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) measure: Duration,
    pub(crate) warm_up: Duration,
    only: Vec<CellName>,
    pub(crate) yardstick: bool,
}

impl Settings {
    fn new(options: &RunOptions) -> Result<Self> {
        ensure!(options.rounds > 0 && options.seconds > 0, "nothing would be measured");
        let (rounds, seconds, warm_up) = if options.quick {
            (1, 3, 1)
        } else {
            (options.rounds, options.seconds, options.warm_up)
        };
        Ok(Self {
            rounds,
            measure: Duration::from_secs(seconds),
            warm_up: Duration::from_secs(warm_up),
            only: options.only.clone(),
            yardstick: !options.no_yardstick,
        })
    }

    /// Whether a cell was asked for.
    pub(crate) fn wants(&self, name: CellName) -> bool {
        self.only.is_empty() || self.only.contains(&name)
    }
}

/// Ends a load cell when the future that waits for it is dropped.
pub(crate) struct StopOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs everything that was asked for; returns whether all thresholds hold, and the figures.
pub(crate) async fn run(options: &RunOptions) -> Result<(bool, Value)> {
    let settings = Settings::new(options)?;
    let begun = Instant::now();
    let stack = Stack::start(&StackOptions {
        deed: options.deed.clone(),
        servers: 1,
        settings: options.postgres_setting.clone(),
    })
    .await?;
    let mut cells = Cells::new(&stack, &settings).await?;
    for round in 1..=settings.rounds {
        say!("round {round} of {}", settings.rounds);
        cells.round(round).await?;
    }
    cells.open_loop(options.rate).await?;
    let results = cells.into_results();
    let verdict = verdict::judge(&results, &settings);
    let environment = stack.describe(&options.postgres_setting).await?;
    report::print(&results, &verdict, &environment);
    say!("took {} s", begun.elapsed().as_secs());
    stack.stop().await?;
    Ok((verdict.pass, report::figures(&results, &verdict, &environment)))
}
