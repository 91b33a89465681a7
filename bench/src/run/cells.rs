//! The cells of one round, and what they measured.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};

use super::measure::{Meter, Usage};
use super::workloads::Workloads;
use super::{CONNECTIONS, CellName, Settings, StopOnDrop};
use crate::check;
use crate::load::{self, Latency, Plan, Workload, median};
use crate::pgbench;
use crate::say;
use crate::stack::{Stack, procfs};

/// Connections of the cells that compare our own loads with each other.
const OWN_CONNECTIONS: usize = 64;
/// Share of the closed loop's rate that the open loop offers.
const OPEN_SHARE: f64 = 0.7;
/// One of so many answers is read in full after the cell.
const SAMPLE_EVERY: u64 = 997;

/// What one cell measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Acknowledged operations per second.
    pub(crate) rate: f64,
    /// Median latency in milliseconds.
    pub(crate) p50: f64,
    /// 99th percentile in milliseconds.
    pub(crate) p99: f64,
    /// What it cost.
    pub(crate) usage: Usage,
}

impl Measured {
    fn new(rate: f64, latency: &Latency, usage: Usage) -> Self {
        Self { rate, p50: latency.quantile_ms(0.5), p99: latency.quantile_ms(0.99), usage }
    }
}

/// The same cell of all rounds.
pub(crate) type Series = Vec<Measured>;

/// The median over the rounds of one number.
pub(crate) fn over_rounds(series: &[Measured], number: impl Fn(&Measured) -> f64) -> f64 {
    median(&series.iter().map(number).collect::<Vec<f64>>())
}

/// The median over the rounds of a ratio that is taken within each round.
pub(crate) fn ratio(
    ours: &[Measured],
    theirs: &[Measured],
    number: impl Fn(&Measured) -> f64,
) -> f64 {
    let ratios: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| number(a) / number(b).max(f64::MIN_POSITIVE))
        .collect();
    median(&ratios)
}

/// The yardstick and our load at one number of connections.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Connections of both.
    pub(crate) connections: usize,
    /// pgbench's one-row insert.
    pub(crate) yardstick: Series,
    /// Notarize.
    pub(crate) notarize: Series,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Against the yardstick.
    pub(crate) comparisons: Vec<Comparison>,
    /// Notes spread over many records.
    pub(crate) spread: Series,
    /// Notes to one record.
    pub(crate) hot: Series,
    /// Notarize without invalid items, next in time to `with_invalid`.
    pub(crate) without_invalid: Series,
    /// Notarize with 1 per cent of invalid items; the rate counts valid ones only.
    pub(crate) with_invalid: Series,
    /// The open loop.
    pub(crate) open: Option<(f64, Measured)>,
    /// Resident memory of the API after the cell with the most connections, the most of all rounds.
    pub(crate) resident: Option<procfs::Resident>,
    /// Whole answers that were checked.
    pub(crate) samples_checked: u64,
}

/// Runs cells and keeps their results.
pub(crate) struct Cells<'a> {
    stack: &'a Stack,
    settings: &'a Settings,
    workloads: Workloads,
    results: Results,
    seed: u64,
}

impl<'a> Cells<'a> {
    /// Prepares what the cells need in the server.
    pub(crate) async fn new(stack: &'a Stack, settings: &'a Settings) -> Result<Self> {
        let comparisons = CONNECTIONS
            .into_iter()
            .filter(|&connections| settings.wants(CellName::of(connections)))
            .map(|connections| Comparison { connections, ..Comparison::default() })
            .collect();
        let results = Results { comparisons, ..Results::default() };
        Ok(Self {
            stack,
            settings,
            workloads: Workloads::new(stack).await?,
            results,
            seed: fastrand::u64(..),
        })
    }

    /// What was measured so far.
    pub(crate) fn into_results(self) -> Results {
        self.results
    }

    /// Every cell once. Which of a pair goes first changes from round to round.
    pub(crate) async fn round(&mut self, round: usize) -> Result<()> {
        let ours_first = round.is_multiple_of(2);
        for index in 0..self.results.comparisons.len() {
            let connections = self.results.comparisons[index].connections;
            for turn in [ours_first, !ours_first] {
                if turn {
                    let load = self.workloads.notarize.clone();
                    let measured = self.load("notarize", connections, &load, None).await?;
                    self.results.comparisons[index].notarize.push(measured);
                } else if self.settings.yardstick {
                    let measured = self.yardstick(connections).await?;
                    self.results.comparisons[index].yardstick.push(measured);
                }
            }
            if connections == CONNECTIONS[CONNECTIONS.len() - 1] {
                self.read_resident()?;
            }
        }
        if self.settings.wants(CellName::Hot) {
            self.hot(ours_first).await?;
        }
        if self.settings.wants(CellName::Invalid) {
            self.invalid(ours_first).await?;
        }
        Ok(())
    }

    async fn hot(&mut self, hot_first: bool) -> Result<()> {
        for turn in [hot_first, !hot_first] {
            let (name, load) = if turn {
                ("notes to one", self.workloads.hot.clone())
            } else {
                ("notes to many", self.workloads.spread.clone())
            };
            let measured = self.load(name, OWN_CONNECTIONS, &load, None).await?;
            let series = if turn { &mut self.results.hot } else { &mut self.results.spread };
            series.push(measured);
        }
        Ok(())
    }

    async fn invalid(&mut self, invalid_first: bool) -> Result<()> {
        for turn in [invalid_first, !invalid_first] {
            let (name, load) = if turn {
                ("1 % invalid", self.workloads.with_invalid.clone())
            } else {
                ("none invalid", self.workloads.notarize.clone())
            };
            let measured = self.load(name, OWN_CONNECTIONS, &load, None).await?;
            let series = if turn {
                &mut self.results.with_invalid
            } else {
                &mut self.results.without_invalid
            };
            series.push(measured);
        }
        Ok(())
    }

    /// Latency at a fixed offered rate, from the moment each request was due: a closed loop stops
    /// asking while the server stalls, and so hides the stall.
    pub(crate) async fn open_loop(&mut self, rate: Option<f64>) -> Result<()> {
        if !self.settings.wants(CellName::Open) {
            return Ok(());
        }
        let load = self.workloads.notarize.clone();
        let closed = self
            .results
            .comparisons
            .iter()
            .find(|comparison| comparison.connections == OWN_CONNECTIONS)
            .map(|comparison| over_rounds(&comparison.notarize, |cell| cell.rate));
        let rate = match (rate, closed) {
            (Some(rate), _) => rate,
            (None, Some(closed)) => closed * OPEN_SHARE,
            (None, None) => {
                self.load("notarize", OWN_CONNECTIONS, &load, None).await?.rate * OPEN_SHARE
            }
        };
        let measured = self.load("open loop", OWN_CONNECTIONS, &load, Some(rate)).await?;
        self.results.open = Some((rate, measured));
        Ok(())
    }

    async fn yardstick(&self, connections: usize) -> Result<Measured> {
        pgbench::prepare(self.stack.sql(), self.stack.pgbench()).await?;
        let meter = Meter::start(self.stack).await?;
        let Settings { warm_up, measure, .. } = *self.settings;
        let target = self.stack.pgbench();
        let found =
            pgbench::run(target, connections, warm_up, measure, self.stack.scratch()).await?;
        let usage = meter.stop(found.transactions).await?;
        let measured = Measured::new(found.rate(), &found.latency, usage);
        tell("pgbench", connections, &measured);
        Ok(measured)
    }

    async fn load(
        &mut self,
        name: &str,
        connections: usize,
        workload: &Workload,
        rate: Option<f64>,
    ) -> Result<Measured> {
        self.seed = self.seed.wrapping_add(1);
        let plan = Plan {
            address: self.stack.server().address(),
            connections,
            warm_up: self.settings.warm_up,
            measure: self.settings.measure,
            rate,
            sample_every: SAMPLE_EVERY,
            seed: self.seed,
        };
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let (seen, workload) = (Arc::clone(&stop.0), workload.clone());
        let meter = Meter::start(self.stack).await?;
        let outcome = tokio::task::spawn_blocking(move || load::run(&plan, &workload, &seen))
            .await?
            .with_context(|| {
                format!("{name}, {connections} connections{}", self.stack.server().log_tail())
            })?;
        let usage = meter.stop(outcome.answers).await?;
        for sample in &outcome.samples {
            check::sample(sample).with_context(|| format!("{name}: a sampled answer"))?;
            self.results.samples_checked += 1;
        }
        let measured = Measured::new(outcome.rate(), &outcome.created, usage);
        tell(name, connections, &measured);
        Ok(measured)
    }

    fn read_resident(&mut self) -> Result<()> {
        let seen = procfs::resident(self.stack.server().pid()?)?;
        let before = self.results.resident.unwrap_or(seen);
        self.results.resident = Some(procfs::Resident {
            now: seen.now.max(before.now),
            peak: seen.peak.max(before.peak),
        });
        Ok(())
    }
}

fn tell(name: &str, connections: usize, cell: &Measured) {
    let usage = &cell.usage;
    say!(
        "  {name:<13} {connections:>3}: {:>7.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  cores: api {:.2}, postgres {:.2}, load {:.2}, others {:.2}",
        cell.rate,
        cell.p50,
        cell.p99,
        usage.api_cores,
        usage.postgres_cores,
        usage.load_cores,
        usage.other_cores
    );
}
