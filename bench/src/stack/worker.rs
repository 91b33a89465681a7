//! One `deed worker` process: started, asked for its metrics, stopped, resumed, killed.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use super::server::{Deed, free_address};
use crate::http::{Client, Request};

/// How long a process may take from start to ready.
const START: Duration = Duration::from_secs(60);
/// Pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// A `deed worker` process with its health port.
pub(crate) struct Worker {
    address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts a process with these further variables, and waits until it is ready.
    pub(crate) async fn start(deed: &Deed, variables: &[(&str, String)]) -> Result<Self> {
        let address = free_address()?;
        let log = deed.logs.join(format!("worker-{}.log", address.port()));
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        let child = deed
            .command(&["worker"])
            .env("WORKER_LISTEN_ADDRESS", address.to_string())
            .env("HTTP_DRAIN_DELAY", "0s")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("starting deed worker")?;
        let mut worker = Self { address, child, log };
        worker.wait_until_ready().await?;
        Ok(worker)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        let mut client = Client::new(self.address, "");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the worker ended at its start: {status}; its log is {}", self.log_text());
            }
            let asked = client.send(&Request::get("/readyz")).await;
            if asked.is_ok_and(|reply| reply.status == 200) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the worker is not ready; its log is {}", self.log_text());
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// SIGSTOP: it stands still as it is.
    pub(crate) fn stop(&self) -> Result<()> {
        self.send(Signal::SIGSTOP)
    }

    /// SIGCONT: it goes on.
    pub(crate) fn resume(&self) -> Result<()> {
        self.send(Signal::SIGCONT)
    }

    /// SIGKILL, and the wait for its end.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("kill -9")
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) async fn terminate(mut self) -> Result<()> {
        self.send(Signal::SIGTERM)?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the worker ended with {status}; its log is {}", self.log_text());
        }
        Ok(())
    }

    fn send(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().context("the worker has ended")?;
        kill(Pid::from_raw(i32::try_from(pid)?), signal).with_context(|| format!("{signal}"))
    }

    /// The sum of a counter's values over all its labels that contain `label`.
    pub(crate) async fn counter(&self, name: &str, label: &str) -> Result<f64> {
        let mut client = Client::new(self.address, "");
        let reply = client.send(&Request::get("/metrics")).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it logs.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}
