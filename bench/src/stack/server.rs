//! One `deed api` process: started, asked whether it is ready, killed.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::http::{Client, Request};

/// How long a process may take from start to ready.
const START: Duration = Duration::from_secs(60);
/// Pause between two questions whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// How `deed` is run: the program and the environment every process of it gets.
#[derive(Clone)]
pub(crate) struct Deed {
    /// The release binary.
    pub(crate) program: PathBuf,
    /// Environment, secrets included; never printed.
    pub(crate) environment: Vec<(String, String)>,
    /// Where processes write their logs.
    pub(crate) logs: PathBuf,
}

impl Deed {
    /// `deed` with `arguments`, an environment of its own, no input, and killed when dropped.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a short command and returns what it printed.
    ///
    /// # Errors
    /// When it fails, with the end of what it said on standard error.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Result<String> {
        let name = arguments.join(" ");
        let output = self
            .command(arguments)
            .output()
            .await
            .with_context(|| format!("starting {}", self.program.display()))?;
        if !output.status.success() {
            bail!("deed {name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout).with_context(|| format!("output of deed {name}"))
    }
}

/// A `deed api` process on a port of its own.
pub(crate) struct Server {
    deed: Deed,
    address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a process on a free port and waits until it is ready.
    pub(crate) async fn start(deed: &Deed) -> Result<Self> {
        let address = free_address()?;
        let log = deed.logs.join(format!("api-{}.log", address.port()));
        let child = spawn(deed, address, &log)?;
        let mut server = Self { deed: deed.clone(), address, child, log };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the API process has ended")
    }

    /// `kill -9`, waits for the end, and starts another process on the same port; does not wait until
    /// it is ready.
    pub(crate) async fn kill_and_respawn(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the API process ended by itself: {status}{}", self.log_tail());
        }
        self.child.kill().await.context("kill -9")?;
        self.child = spawn(&self.deed, self.address, &self.log)?;
        Ok(())
    }

    /// Asks `/readyz` until it answers 200.
    ///
    /// # Errors
    /// When the process ends, or is not ready by the deadline.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        let mut client = Client::new(self.address, "");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the API process ended at its start: {status}{}", self.log_tail());
            }
            if let Ok(reply) = client.send(&Request::get("/readyz")).await
                && reply.status == 200
            {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the API is not ready after {} s{}", START.as_secs(), self.log_tail());
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The end of the process's log, for a message.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("; its log ends:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"))
    }
}

fn spawn(deed: &Deed, address: SocketAddr, log: &PathBuf) -> Result<Child> {
    let file = OpenOptions::new().create(true).append(true).open(log)?;
    deed.command(&["api"])
        .env("LISTEN_ADDRESS", address.to_string())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("starting deed api")
}

/// An address nobody listens on at this moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
