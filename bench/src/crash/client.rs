//! A client that never gives up: every operation is repeated until it is answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::sync::Notify;

use super::operation::{Acknowledged, Operation, Source};
use crate::check;
use crate::http::{Client, Reply, Request, TransportError};

/// How long one operation may stay without an answer, restarts of all servers included.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause after a refused connection or a failure that the server tells.
const BACK_OFF: Duration = Duration::from_millis(2);

/// What clients and killer share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The servers.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Set when clients shall finish their operation and end.
    pub(crate) finish: AtomicBool,
    /// Acknowledgements by server, since the start.
    pub(crate) acknowledged: Vec<AtomicU64>,
    /// Told at each acknowledgement.
    pub(crate) progress: Notify,
}

impl Shared {
    /// For servers at `addresses`.
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            acknowledged: addresses.iter().map(|_| AtomicU64::new(0)).collect(),
            addresses,
            finish: AtomicBool::new(false),
            progress: Notify::new(),
        }
    }

    /// Waits until server `index` has acknowledged `count` more.
    pub(crate) async fn wait_for(&self, index: usize, count: u64) {
        let goal = self.acknowledged[index].load(Ordering::Acquire) + count;
        loop {
            let told = self.progress.notified();
            if self.acknowledged[index].load(Ordering::Acquire) >= goal {
                return;
            }
            told.await;
        }
    }
}

/// What one client saw.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Everything that was answered.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Operations whose outcome was unknown at least once.
    pub(crate) ambiguous: u64,
    /// Requests sent again after an unknown outcome.
    pub(crate) retried: u64,
    /// Connections refused, or requests put off, without anything being carried out.
    pub(crate) put_off: u64,
}

/// One client with a connection to every server.
#[derive(Debug)]
pub(crate) struct Persistent {
    clients: Vec<Client>,
    home: usize,
    log: Log,
}

impl Persistent {
    /// Its operations go to server `home` first.
    pub(crate) fn new(shared: &Shared, bearer: &str, home: usize) -> Self {
        let clients =
            shared.addresses.iter().map(|&address| Client::new(address, bearer)).collect();
        Self { clients, home: home % shared.addresses.len(), log: Log::default() }
    }

    /// Works until told to finish, or until `limit` operations are answered.
    pub(crate) async fn work(
        mut self,
        shared: &Shared,
        source: &mut Source,
        limit: Option<u64>,
    ) -> Result<Log> {
        let mut done = 0;
        while !shared.finish.load(Ordering::Acquire) && limit.is_none_or(|limit| done < limit) {
            let operation = source.next();
            self.until_answered(shared, operation).await?;
            done += 1;
        }
        Ok(self.log)
    }

    /// Sends the same bytes, to one server after the other, until one answers.
    pub(crate) async fn until_answered(
        &mut self,
        shared: &Shared,
        operation: Operation,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut server = self.home;
        let mut unknown = false;
        loop {
            ensure!(begun.elapsed() < PATIENCE, "no answer to {}", operation.key);
            let request = Request::post(&operation.path, Some(&operation.key), &operation.body);
            self.log.retried += u64::from(unknown);
            match self.clients[server].send(&request).await {
                Ok(reply) if reply.status == 201 => {
                    self.log.ambiguous += u64::from(unknown);
                    self.log.acknowledged.push(acknowledged(operation, reply)?);
                    shared.acknowledged[server].fetch_add(1, Ordering::AcqRel);
                    shared.progress.notify_waiters();
                    return Ok(());
                }
                Ok(reply) if reply.status >= 500 => {
                    unknown = true;
                    tokio::time::sleep(BACK_OFF).await;
                }
                Ok(reply) if is_retryable(&reply) => {
                    self.log.put_off += 1;
                    tokio::time::sleep(BACK_OFF).await;
                }
                Ok(reply) => {
                    bail!("{} refused with {}: {}", operation.key, reply.status, reply.excerpt())
                }
                Err(TransportError::NoAnswer(_)) => unknown = true,
                Err(TransportError::NotSent(_)) => {
                    self.log.put_off += 1;
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
            server = (server + 1) % self.clients.len();
        }
    }

    /// What was seen so far.
    pub(crate) fn into_log(self) -> Log {
        self.log
    }
}

/// The same key is under way elsewhere, or the server asks for patience.
fn is_retryable(reply: &Reply) -> bool {
    matches!(reply.status, 408 | 409 | 425 | 429)
        && reply.json().is_ok_and(|problem| problem["retryable"] == true)
}

fn acknowledged(operation: Operation, reply: Reply) -> Result<Acknowledged> {
    let answer: Value = reply.json()?;
    let entry = &answer["entry"];
    check::entry(entry)?;
    let text = |value: &Value, name: &str| -> Result<String> {
        Ok(value.as_str().with_context(|| format!("no {name} in the answer"))?.to_owned())
    };
    Ok(Acknowledged {
        record: text(&answer["record"]["id"], "record")?,
        position: entry["position"].as_u64().context("no position in the answer")?,
        hash: text(&entry["hash"], "hash")?,
        statement: text(&entry["signedStatement"], "statement")?,
        operation,
        answer: reply.body,
    })
}
