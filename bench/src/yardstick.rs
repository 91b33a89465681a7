//! `deed-bench yardstick`: what pgbench alone does on this machine.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::run::CONNECTIONS;
use crate::stack::{Database, scratch_folder};
use crate::{pgbench, say};

/// Options of `yardstick`.
#[derive(Debug, Args)]
pub(crate) struct YardstickOptions {
    /// Counted seconds of each cell.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Runs pgbench at every number of connections; passes when it runs at all.
pub(crate) async fn run(options: &YardstickOptions) -> Result<(bool, Value)> {
    let folder = scratch_folder()?;
    let database = Database::start(folder.path(), &[]).await?;
    let mut figures = Map::new();
    for connections in CONNECTIONS {
        pgbench::prepare(database.sql(), database.pgbench()).await?;
        database.sql().batch_execute("CHECKPOINT").await?;
        let measure = Duration::from_secs(options.seconds);
        let warm_up = Duration::from_secs(1);
        let target = database.pgbench();
        let found = pgbench::run(target, connections, warm_up, measure, folder.path()).await?;
        let (p50, p99) = (found.latency.quantile_ms(0.5), found.latency.quantile_ms(0.99));
        say!("pgbench {connections:>3}: {:>7.0}/s  p50 {p50:.2} ms  p99 {p99:.2} ms", found.rate());
        let cell = json!({"perSecond": found.rate().round(), "p50Ms": p50, "p99Ms": p99});
        figures.insert(format!("connections_{connections}"), cell);
    }
    database.stop().await?;
    Ok((true, Value::Object(figures)))
}
