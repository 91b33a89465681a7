//! The yardstick: pgbench inserting one row of 1 KB per transaction.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use crate::load::Latency;

/// Bytes of the inserted value: about what one entry with its record takes.
const PAYLOAD_BYTES: usize = 1024;
const THREADS: usize = 2;
/// Longest time without any transaction before the end of the counted time.
const LONGEST_GAP: Duration = Duration::from_millis(500);
/// Schema of the yardstick's table; it belongs to the yardstick's role.
pub(crate) const SCHEMA: &str = "deed_yardstick";
const SCRIPT: &str = "INSERT INTO deed_yardstick.bench_rows (id, payload) \
    VALUES (gen_random_uuid(), :payload::bytea);\n";

/// Where pgbench is and what it connects to.
#[derive(Clone)]
pub(crate) struct Target {
    /// The program.
    pub(crate) program: PathBuf,
    /// Socket folder or address, as libpq's `host` takes either.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// Role.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: String,
    /// Database.
    pub(crate) database: String,
}

/// What one pgbench cell measured.
#[derive(Debug)]
pub(crate) struct Yardstick {
    /// Latencies inside the counted time.
    pub(crate) latency: Latency,
    /// All transactions, warm-up included.
    pub(crate) transactions: u64,
    /// Counted time.
    pub(crate) measured: Duration,
}

impl Yardstick {
    /// Transactions per second of counted time.
    pub(crate) fn rate(&self) -> f64 {
        self.latency.count() as f64 / self.measured.as_secs_f64()
    }
}

/// Makes the table anew, so that every cell inserts into an empty one.
pub(crate) async fn prepare(sql: &tokio_postgres::Client, target: &Target) -> Result<()> {
    let user = &target.user;
    sql.batch_execute(&format!(
        "DROP TABLE IF EXISTS {SCHEMA}.bench_rows; \
         CREATE TABLE {SCHEMA}.bench_rows (id uuid PRIMARY KEY, payload bytea NOT NULL); \
         ALTER TABLE {SCHEMA}.bench_rows OWNER TO {user}"
    ))
    .await
    .context("creating the yardstick's table")
}

/// Runs one cell. The first `warm_up` of its log is left out.
///
/// # Errors
/// When pgbench fails, which includes any failed transaction.
pub(crate) async fn run(
    target: &Target,
    connections: usize,
    warm_up: Duration,
    measure: Duration,
    scratch: &Path,
) -> Result<Yardstick> {
    let folder = tempfile::tempdir_in(scratch)?;
    let script = folder.path().join("insert.sql");
    std::fs::write(&script, SCRIPT)?;
    // Text that is its own bytea escape form, so that 1 KB travels and not its hex double.
    let payload: String =
        std::iter::repeat_with(fastrand::alphanumeric).take(PAYLOAD_BYTES).collect();
    let seconds = (warm_up + measure + time_to_connect(connections)).as_secs();
    let output = Command::new(&target.program)
        .args(["--no-vacuum", "--protocol=prepared", "--log"])
        .arg(format!("--client={connections}"))
        .arg(format!("--jobs={}", THREADS.min(connections)))
        .arg(format!("--time={}", seconds))
        .arg(format!("--log-prefix={}", folder.path().join("log").display()))
        .arg(format!("--define=payload={payload}"))
        .arg(format!("--file={}", script.display()))
        .arg(format!("--host={}", target.host))
        .arg(format!("--port={}", target.port))
        .arg(format!("--username={}", target.user))
        .arg(&target.database)
        .env("PGPASSWORD", &target.password)
        .env_remove("PGOPTIONS")
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("starting {}", target.program.display()))?;
    if !output.status.success() {
        bail!("pgbench: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    read_logs(folder.path(), warm_up, measure)
}

/// pgbench's time limit begins before it connects, which for 256 connections takes seconds.
fn time_to_connect(connections: usize) -> Duration {
    Duration::from_secs(1 + connections as u64 / 64)
}

/// One line of pgbench's transaction log: `client number latency script second micros`.
struct Transaction {
    end: Duration,
    latency: Duration,
}

impl Transaction {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let latency = Duration::from_micros(fields.next()?.parse().ok()?);
        let seconds = fields.nth(1)?.parse().ok()?;
        let micros = fields.next()?.parse().ok()?;
        Some(Self { end: Duration::from_secs(seconds) + Duration::from_micros(micros), latency })
    }
}

fn read_logs(folder: &Path, warm_up: Duration, measure: Duration) -> Result<Yardstick> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log.") {
            logs.push(entry.path());
        }
    }
    ensure!(!logs.is_empty(), "pgbench left no log");
    let mut first = Duration::MAX;
    for log in &logs {
        if let Some(line) = BufReader::new(File::open(log)?).lines().next() {
            let transaction = Transaction::parse(&line?).context("unknown form of pgbench log")?;
            first = first.min(transaction.end.saturating_sub(transaction.latency));
        }
    }
    let counted = first.saturating_add(warm_up)..first.saturating_add(warm_up + measure);
    let mut latency = Latency::new()?;
    let mut transactions = 0;
    let mut last = Duration::ZERO;
    for log in &logs {
        for line in BufReader::new(File::open(log)?).lines() {
            let transaction = Transaction::parse(&line?).context("unknown form of pgbench log")?;
            transactions += 1;
            last = last.max(transaction.end);
            if counted.contains(&transaction.end) {
                latency.record(transaction.latency);
            }
        }
    }
    // A transaction may take a while, but not so long that the end of the counted time shows none.
    ensure!(last + LONGEST_GAP >= counted.end, "pgbench ended before the counted time did");
    Ok(Yardstick { latency, transactions, measured: measure })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_ends_inside_the_counted_time_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        // Begins at 100.000000; warm-up until 102, counted until 104.
        write("log.1", "0 1 500 0 100 500\n0 2 700 0 101 999999\n0 3 900 0 102 0\n");
        write("log.1.1", "1 1 1000 0 100 1000\n1 2 1100 0 103 999999\n1 3 9 0 104 0\n");
        write("insert.sql", "not a log");
        let (warm_up, measure) = (Duration::from_secs(2), Duration::from_secs(2));
        let yardstick = read_logs(folder.path(), warm_up, measure).unwrap();
        assert_eq!((yardstick.transactions, yardstick.latency.count()), (6, 2));
        assert_eq!(yardstick.rate(), 1.0);
        assert_eq!(yardstick.latency.quantile_ms(1.0), 1.1);
    }

    #[test]
    fn failed_transactions_and_missing_logs_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let second = Duration::from_secs(1);
        assert!(read_logs(folder.path(), second, second).is_err());
        let log = folder.path().join("log.1");
        std::fs::write(&log, "0 1 failed 0 100 500\n").unwrap();
        assert!(read_logs(folder.path(), second, second).is_err());
        std::fs::write(&log, "0 1 500 0 100 500\n0 2 500 0 101 100000\n").unwrap();
        let error = read_logs(folder.path(), second, second).unwrap_err().to_string();
        assert!(error.contains("before the counted time"), "{error}");
    }
}
