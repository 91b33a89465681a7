//! `deed-bench crash`: `kill -9` of API processes under load, and the reckoning afterwards.

mod audit;
mod client;
pub(crate) mod hotchain;
mod operation;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::median;
use crate::say;
use crate::stack::{Server, Stack, StackOptions};
use audit::{Auditor, Findings};
use client::{Log, Persistent, Shared};
use operation::{Acknowledged, Kind, Source};

/// API processes that are killed in turn.
const SERVERS: usize = 2;
/// Records that every client appends to; enough of them that none grows past what one export holds.
const SHARED_RECORDS: usize = 8;
/// The killed process must have acknowledged some of these since its start.
const ACKNOWLEDGED_BEFORE_KILL: std::ops::Range<u64> = 20..400;
/// After that it is killed within this time, so that the moment does not depend on its answers.
const JITTER: Duration = Duration::from_millis(10);
/// Acknowledged operations that are asked again at the end.
const REPLAYED: usize = 1000;

/// Options of `crash`.
#[derive(Debug, Args)]
pub(crate) struct CrashOptions {
    /// How often an API process is killed.
    #[arg(long, default_value_t = 50)]
    kills: u64,
    /// Clients, half of them at home at each process.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Decides operations and moments; random, and printed, by default.
    #[arg(long)]
    seed: Option<u64>,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// Kills, reckons, and returns whether nothing was wrong.
pub(crate) async fn run(options: &CrashOptions) -> Result<(bool, Value)> {
    ensure!(options.kills > 0 && options.clients > 0, "nothing would be shown");
    let begun = Instant::now();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    say!("seed {seed}");
    let stack_options =
        StackOptions { deed: options.deed.clone(), servers: SERVERS, settings: Vec::new() };
    let mut stack = Stack::start(&stack_options).await?;
    let bearer = stack.agent_key().to_owned();
    let addresses = stack.servers().iter().map(Server::address).collect();
    let shared = Arc::new(Shared::new(addresses));
    let auditor = Auditor::pin(Arc::clone(&shared), &bearer).await?;
    let run = format!("run-{seed}");
    let records = shared_records(&shared, &bearer, &run).await?;

    let mut clients = JoinSet::new();
    for index in 0..options.clients {
        let mut source = Source::new(seed, &run, index, &records);
        let client = Persistent::new(&shared, &bearer, index);
        let shared = Arc::clone(&shared);
        clients.spawn(async move { client.work(&shared, &mut source, None).await });
    }
    let restarts = kill_in_turn(&mut stack, &shared, &mut clients, options.kills, seed).await?;
    shared.finish.store(true, Ordering::Release);
    let log = collect(clients).await?;
    say!(
        "{} acknowledged, {} with unknown outcome, checking",
        log.acknowledged.len(),
        log.ambiguous
    );
    let findings = reckon(&auditor, &log.acknowledged, &run, seed).await?;
    let hot = hotchain::appends(&stack, hotchain::APPENDERS, hotchain::EACH).await?;
    stack.stop().await?;
    let pass = findings.clean() && log.ambiguous > 0 && hot.pass();
    let mut figures = figures(options, seed, &log, &findings, &restarts);
    figures["hotchain"] = hot.to_json();
    figures["seconds"] = json!(begun.elapsed().as_secs());
    Ok((pass, figures))
}

/// Creates the records that all clients append to; they are not of the run's reference.
async fn shared_records(shared: &Shared, bearer: &str, run: &str) -> Result<Vec<String>> {
    let mut client = Persistent::new(shared, bearer, 0);
    for index in 0..SHARED_RECORDS {
        let record = operation::record(&format!("shared-{run}"), &format!("shared-{run}-{index}"));
        client.until_answered(shared, record).await?;
    }
    Ok(client.into_log().acknowledged.into_iter().map(|one| one.record).collect())
}

/// Kills one server after the other; returns how long each restart took, in milliseconds.
async fn kill_in_turn(
    stack: &mut Stack,
    shared: &Shared,
    clients: &mut JoinSet<Result<Log>>,
    kills: u64,
    seed: u64,
) -> Result<Vec<f64>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut restarts = Vec::new();
    for kill in 0..kills {
        let index = usize::try_from(kill)? % SERVERS;
        let under_load = shared.wait_for(index, rng.u64(ACKNOWLEDGED_BEFORE_KILL));
        tokio::select! {
            () = under_load => {}
            // No client ends by itself, so this is a failure.
            Some(ended) = clients.join_next() => { ended??; }
        }
        tokio::time::sleep(JITTER.mul_f64(rng.f64())).await;
        let server = &mut stack.servers_mut()[index];
        let begun = Instant::now();
        server.kill_and_respawn().await?;
        server.wait_until_ready().await?;
        restarts.push(begun.elapsed().as_secs_f64() * 1e3);
        if (kill + 1) % 10 == 0 {
            let total: u64 =
                shared.acknowledged.iter().map(|count| count.load(Ordering::Relaxed)).sum();
            say!("{} kills, {total} acknowledged", kill + 1);
        }
    }
    Ok(restarts)
}

async fn collect(mut clients: JoinSet<Result<Log>>) -> Result<Log> {
    let mut all = Log::default();
    while let Some(ended) = clients.join_next().await {
        let log = ended?.context("a client gave up")?;
        all.acknowledged.extend(log.acknowledged);
        all.ambiguous += log.ambiguous;
        all.retried += log.retried;
        all.put_off += log.put_off;
    }
    Ok(all)
}

async fn reckon(
    auditor: &Auditor,
    acknowledged: &[Acknowledged],
    run: &str,
    seed: u64,
) -> Result<Findings> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 1);
    let sample: Vec<&Acknowledged> =
        rng.choose_multiple(acknowledged.iter(), REPLAYED.min(acknowledged.len()));
    let records: Vec<&str> = acknowledged
        .iter()
        .filter(|one| one.operation.kind == Kind::Record)
        .map(|one| one.record.as_str())
        .collect();
    let distinct: HashSet<&str> = records.iter().copied().collect();
    ensure!(distinct.len() == records.len(), "two keys were answered with one record");
    // Before the lists are read: a retry that appended again shows there.
    let mut findings = auditor.replays(&sample).await?;
    findings.add(&auditor.listing(run, &distinct).await?);
    findings.add(&auditor.chains(acknowledged).await?);
    Ok(findings)
}

fn figures(
    options: &CrashOptions,
    seed: u64,
    log: &Log,
    findings: &Findings,
    restarts: &[f64],
) -> Value {
    let notes = log.acknowledged.iter().filter(|one| one.operation.kind != Kind::Record).count();
    json!({
        "seed": seed, "kills": options.kills, "clients": options.clients, "servers": SERVERS,
        "acknowledged": log.acknowledged.len(), "notes": notes,
        "ambiguous": log.ambiguous, "retried": log.retried, "putOff": log.put_off,
        "lost": findings.lost, "changed": findings.changed, "duplicated": findings.duplicated,
        "gaps": findings.gaps, "chainsVerified": findings.verified,
        "chainsNotVerified": findings.unverified,
        "replaysIdentical": findings.replays_identical,
        "replaysDiffering": findings.replays_differing,
        "restartMsMedian": median(restarts).round(),
    })
}
