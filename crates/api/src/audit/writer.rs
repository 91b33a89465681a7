//! Writes entries off the request: those of one moment together.

use std::sync::Arc;
use std::time::Duration;

use deed_store::Store;
use deed_store::audit_log::AuditEntry;
use tokio::sync::{mpsc, oneshot};

/// Most entries that wait in memory; more are lost, and counted.
const MOST_WAITING: usize = 10_000;
/// Most entries of one transaction.
const BATCH: usize = 500;
/// Pause after a write that failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Longest time that the end of the process waits for the entries.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Entry(Box<AuditEntry>),
    Flush(oneshot::Sender<()>),
}

/// The way to the task that writes.
pub(super) struct Writer(mpsc::Sender<Message>);

impl Writer {
    pub(super) fn start(store: Store) -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(write(store, receiver));
        Self(sender)
    }

    /// Never waits: a log that cannot be written must not hold up what it is about.
    pub(super) fn add(&self, entry: Box<AuditEntry>) {
        if self.0.try_send(Message::Entry(entry)).is_err() {
            metrics::counter!("deed_audit_entries_lost_total").increment(1);
        }
    }

    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let flushed = async {
            if self.0.send(Message::Flush(done)).await.is_ok() {
                // Gone without an answer: the write failed, and the log has said so.
                let _ = written.await;
            }
        };
        if tokio::time::timeout(PATIENCE, flushed).await.is_err() {
            tracing::error!("entries of the audit log were not written before the process ended");
        }
    }
}

async fn write(store: Store, mut receiver: mpsc::Receiver<Message>) {
    let mut messages = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut messages, BATCH).await > 0 {
        let (mut entries, mut waiting) = (Vec::with_capacity(messages.len()), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Entry(entry) => entries.push(*entry),
                Message::Flush(done) => waiting.push(done),
            }
        }
        if !entries.is_empty() {
            keep_trying(&store, Arc::new(entries)).await;
        }
        for done in waiting {
            // Whoever asked may have lost patience.
            let _ = done.send(());
        }
    }
}

async fn keep_trying(store: &Store, entries: Arc<Vec<AuditEntry>>) {
    while let Err(error) = store.append_audit(Arc::clone(&entries)).await {
        metrics::counter!("deed_audit_log_failures_total").increment(1);
        metrics::gauge!("deed_audit_log_failing").set(1.0);
        tracing::error!(%error, waiting = entries.len(), "the audit log cannot be written");
        tokio::time::sleep(AFTER_ERROR).await;
    }
    metrics::gauge!("deed_audit_log_failing").set(0.0);
}
