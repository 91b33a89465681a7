//! `deed-bench audit`: `deed audit` over many chains, against the bare signature checks on the same
//! cores.

mod vault;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use deed_chain::entry::decode;
use deed_chain::key::PublicKey;
use deed_store::Signer;
use serde_json::{Value, json};

use crate::say;
use crate::stack::{Base, procfs};

/// Statements that the bare checks are measured with.
const SAMPLE: i64 = 20_000;
/// Part of the bare signature checks' rate that the audit must reach.
const MUST_RATIO: f64 = 0.5;
/// Most memory that the audit may use, in MiB, whatever the size of the vault.
const MUST_MIB: f64 = 256.0;
/// Pause between two looks at the memory.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    /// Chains.
    #[arg(long, default_value_t = 100_000)]
    chains: usize,
    /// Entries in all.
    #[arg(long, default_value_t = 1_000_000)]
    entries: usize,
    /// Runs, of which the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// One run.
struct Run {
    seconds: f64,
    peak_mib: f64,
}

/// Fills a vault, and audits it.
pub(crate) async fn run(options: &AuditOptions) -> Result<(bool, Value)> {
    let base = Base::start(options.deed.as_deref(), &[]).await?;
    let environment = base.describe().await?;
    environment.print();
    let each = (options.entries / options.chains.max(1)).max(1);
    let entries = each * options.chains;
    say!("signing {entries} entries in {} chains", options.chains);
    let key = base.deed.environment.iter().find(|(name, _)| name == "VAULT_SIGNING_KEY");
    let signer = Signer::from_pkcs8_text(&key.context("the signing key")?.1)?;
    vault::fill(base.database.sql(), &signer, options.chains, each).await?;
    let bare = bare(&base, signer.public()).await?;
    say!("bare signature checks on all cores: {bare:.0}/s\n");
    let mut runs = Vec::new();
    for _ in 0..options.rounds.max(1) {
        let run = audit(&base, entries).await?;
        let rate = entries as f64 / run.seconds;
        say!(
            "audited in {:.1} s: {rate:.0} entries/s, at most {:.0} MiB",
            run.seconds,
            run.peak_mib
        );
        runs.push(run);
    }
    base.stop().await?;
    let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    let rate = entries as f64 / crate::load::median(&seconds);
    let peak = runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max);
    let ratio = rate / bare;
    say!("ratio {ratio:.2} (at least {MUST_RATIO}), memory {peak:.0} MiB (at most {MUST_MIB})");
    Ok((
        ratio >= MUST_RATIO && peak <= MUST_MIB,
        json!({
            "entries": entries, "chains": options.chains, "entriesPerSecond": rate.round(),
            "bareChecksPerSecond": bare.round(), "ratio": ratio, "peakMib": peak,
            "seconds": seconds, "environment": environment.to_json(),
        }),
    ))
}

async fn audit(base: &Base, entries: usize) -> Result<Run> {
    let begun = Instant::now();
    let mut command = base.deed.command(&["audit"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
    let pid = child.id().context("deed audit has ended at once")?;
    let mut peak_mib = 0.0_f64;
    let mut out = child.stdout.take().context("its output")?;
    let mut text = String::new();
    let reading = tokio::io::AsyncReadExt::read_to_string(&mut out, &mut text);
    let mut reading = std::pin::pin!(reading);
    loop {
        tokio::select! {
            read = &mut reading => {
                read?;
                break;
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {
                // It may have ended meanwhile.
                if let Ok(resident) = procfs::resident(pid) {
                    peak_mib = peak_mib.max(resident.peak);
                }
            }
        }
    }
    let status = child.wait().await?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(status.success(), "deed audit: {status}: {text}");
    let outcome: Value = serde_json::from_str(text.lines().last().context("no outcome")?)?;
    ensure!(outcome["checked"]["entries"] == json!(entries), "not all was audited: {outcome}");
    Ok(Run { seconds, peak_mib })
}

/// Strict signature checks a second, of statements that lie in memory, on all cores.
async fn bare(base: &Base, key: &PublicKey) -> Result<f64> {
    let sql = "SELECT entry FROM vault_entries LIMIT $1";
    let rows = base.database.sql().query(sql, &[&SAMPLE]).await?;
    let statements: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    let cores = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    let each = statements.len().div_ceil(cores);
    let failed = std::thread::scope(|scope| {
        let check = |part: &[Vec<u8>]| {
            let holds =
                |bytes: &Vec<u8>| decode(bytes).is_ok_and(|entry| entry.verify(key).is_ok());
            part.iter().filter(|bytes| !holds(bytes)).count()
        };
        let threads: Vec<_> =
            statements.chunks(each).map(|part| scope.spawn(move || check(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(usize::MAX)).max()
    });
    ensure!(failed == Some(0), "a signature does not hold");
    Ok(statements.len() as f64 / begun.elapsed().as_secs_f64())
}
