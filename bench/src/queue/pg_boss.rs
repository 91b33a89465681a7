//! Their side: npm `pg-boss`, by its worker loop and by hand, at its best settings.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::say;
use crate::stack::Base;

/// What is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// `work`: its worker loop with `burstWhenBatchFull`; `fetch`: `fetch` and `complete` in loops.
    mode: &'static str,
    batch_size: usize,
    workers: usize,
}

impl Setting {
    pub(super) fn describe(self) -> String {
        let Self { mode, batch_size, workers } = self;
        match mode {
            "work" => format!(
                "work(batchSize {batch_size}, localConcurrency {workers}, burstWhenBatchFull)"
            ),
            _ => format!("{workers} loops of fetch(batchSize {batch_size}) and complete()"),
        }
    }
}

pub(super) struct PgBoss {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    node: String,
}

impl PgBoss {
    /// Starts the program from the folder in which npm has installed everything.
    pub(super) async fn start(base: &Base, folder: &Path) -> Result<Self> {
        let target = base.database.pgbench();
        let allow = format!("GRANT CREATE ON DATABASE {} TO {}", target.database, target.user);
        base.database.sql().batch_execute(&allow).await?;
        let mut child = Command::new(folder.join("node_modules/.bin/node"))
            .arg("drain.mjs")
            .current_dir(folder)
            .env_clear()
            .envs([
                ("PGHOST", target.host.as_str()),
                ("PGPORT", &target.port.to_string()),
                ("PGUSER", &target.user),
                ("PGPASSWORD", &target.password),
                ("PGDATABASE", &target.database),
                ("NODE_ENV", "production"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting Node.js; is pg-boss installed there?")?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut started = Self { child, input, output, node: String::new() };
        let ready = started.answer().await?;
        started.node = ready["node"].as_str().unwrap_or_default().to_owned();
        Ok(started)
    }

    async fn answer(&mut self) -> Result<Value> {
        let line = self.output.next_line().await?.context("pg-boss ended; see above")?;
        serde_json::from_str(&line).with_context(|| line.clone())
    }

    async fn ask(&mut self, command: Value) -> Result<Value> {
        self.input.write_all(format!("{command}\n").as_bytes()).await?;
        self.answer().await
    }

    /// Tries settings and gives the fastest.
    pub(super) async fn best(&mut self, base: &Base, jobs: usize) -> Result<Setting> {
        let mut best = None;
        for mode in ["work", "fetch"] {
            for (batch_size, workers) in
                [(100, 4), (500, 2), (500, 4), (1000, 1), (1000, 2), (2000, 2), (5000, 1)]
            {
                let setting = Setting { mode, batch_size, workers };
                let rate = self.round(base, jobs, setting).await?;
                say!("pg-boss      {:<64} {rate:>7.0} jobs/s", setting.describe());
                if best.is_none_or(|(fastest, _)| rate > fastest) {
                    best = Some((rate, setting));
                }
            }
        }
        best.map(|(_, setting)| setting).context("no setting was tried")
    }

    /// Jobs a second, measured by the program itself from its first fetch to its last completion.
    pub(super) async fn round(
        &mut self,
        base: &Base,
        jobs: usize,
        setting: Setting,
    ) -> Result<f64> {
        let sql = base.database.sql();
        // Its finished jobs stay; a queue that is as empty as ours was is fair.
        sql.batch_execute("DELETE FROM pgboss.job WHERE name = 'noop'").await?;
        let filled = self.ask(json!({ "command": "fill", "jobs": jobs })).await?;
        ensure!(filled["filled"] == json!(jobs), "pg-boss: {filled}");
        sql.batch_execute("VACUUM ANALYZE pgboss.job").await?;
        sql.batch_execute("CHECKPOINT").await?;
        let Setting { mode, batch_size, workers } = setting;
        let drain = json!({ "command": "drain", "jobs": jobs, "mode": mode,
            "batchSize": batch_size, "workers": workers });
        let answer = self.ask(drain).await?;
        let ms = answer["ms"].as_f64().with_context(|| format!("pg-boss: {answer}"))?;
        Ok(jobs as f64 * 1000.0 / ms)
    }

    /// Ends it, and gives the version of Node.js.
    pub(super) async fn stop(self) -> Result<String> {
        let Self { mut child, input, node, .. } = self;
        drop(input);
        child.wait().await?;
        Ok(node)
    }
}
