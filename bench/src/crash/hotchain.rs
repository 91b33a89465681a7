//! Many appenders to one record through two API processes: positions gap-free, none twice, and one
//! chain that verifies.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::audit::{Auditor, Findings};
use super::client::{Persistent, Shared};
use super::{SERVERS, collect, operation};
use crate::stack::{Server, Stack, StackOptions};

/// Concurrent appenders.
pub(crate) const APPENDERS: usize = 64;
/// Appends of each.
pub(crate) const EACH: u64 = 100;

/// Options of `hotchain`.
#[derive(Debug, Args)]
pub(crate) struct HotchainOptions {
    /// Concurrent appenders, half of them at each process.
    #[arg(long, default_value_t = APPENDERS)]
    appenders: usize,
    /// Appends of each.
    #[arg(long, default_value_t = EACH)]
    each: u64,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// What the appends came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    appends: u64,
    acknowledged: u64,
    positions_gap_free: bool,
    findings: Findings,
    per_second: f64,
}

impl Outcome {
    /// Whether each append got one position, and the chain is whole and verifies.
    pub(crate) fn pass(&self) -> bool {
        self.acknowledged == self.appends
            && self.positions_gap_free
            && self.findings.clean()
            && self.findings.verified == 1
    }

    /// The figures.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "appends": self.appends, "acknowledged": self.acknowledged,
            "positionsGapFree": self.positions_gap_free, "lost": self.findings.lost,
            "changed": self.findings.changed, "duplicated": self.findings.duplicated,
            "gaps": self.findings.gaps, "chainsVerified": self.findings.verified,
            "perSecond": self.per_second.round(),
        })
    }
}

/// Runs it on a stack of its own.
pub(crate) async fn run(options: &HotchainOptions) -> Result<(bool, Value)> {
    let stack_options =
        StackOptions { deed: options.deed.clone(), servers: SERVERS, settings: Vec::new() };
    let stack = Stack::start(&stack_options).await?;
    let outcome = appends(&stack, options.appenders, options.each).await?;
    stack.stop().await?;
    Ok((outcome.pass(), outcome.to_json()))
}

/// Runs it on the servers of `stack`.
pub(crate) async fn appends(stack: &Stack, appenders: usize, each: u64) -> Result<Outcome> {
    let bearer = stack.agent_key().to_owned();
    let shared = Arc::new(Shared::new(stack.servers().iter().map(Server::address).collect()));
    let auditor = Auditor::pin(Arc::clone(&shared), &bearer).await?;
    let mut creator = Persistent::new(&shared, &bearer, 0);
    let run = format!("hot-{}", uuid::Uuid::new_v4().simple());
    creator.until_answered(&shared, operation::record(&run, &run)).await?;
    let hot: Vec<String> =
        creator.into_log().acknowledged.into_iter().map(|one| one.record).collect();

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for index in 0..appenders {
        let mut client = Persistent::new(&shared, &bearer, index);
        let (shared, record, run) = (Arc::clone(&shared), hot[0].clone(), run.clone());
        tasks.spawn(async move {
            for serial in 0..each {
                let note = operation::note(&record, 0, &format!("{run}-{index}-{serial}"));
                client.until_answered(&shared, note).await?;
            }
            Ok(client.into_log())
        });
    }
    let log = collect(tasks).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut positions: Vec<u64> = log.acknowledged.iter().map(|one| one.position).collect();
    positions.sort_unstable();
    let appends = appenders as u64 * each;
    Ok(Outcome {
        appends,
        acknowledged: log.acknowledged.len() as u64,
        positions_gap_free: positions.iter().copied().eq(1..=appends),
        findings: auditor.chains(&log.acknowledged).await?,
        per_second: appends as f64 / seconds,
    })
}
