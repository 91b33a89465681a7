//! Group commit without a timer: whatever has arrived when the previous transaction is done
//! makes the next one.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{Item, MOST_IN_BATCH};
use crate::error::Error;
use crate::store::Store;

/// Writes a batch in one transaction: a result per item, or one error for all of them.
pub(super) type Write<I, O> =
    for<'a> fn(&'a Store, &'a [Arc<I>]) -> BoxFuture<'a, Result<Vec<Result<O, Error>>, Error>>;

struct Waiting<I, O> {
    item: Arc<I>,
    answer: oneshot::Sender<Result<O, Error>>,
}

/// A queue with one task that writes what is in it.
pub(super) struct Batcher<I, O> {
    queue: mpsc::Sender<Waiting<I, O>>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I, O> Batcher<I, O>
where
    I: Item + Send + Sync + 'static,
    O: Send + 'static,
{
    pub(super) fn start(
        name: &'static str,
        store: Store,
        queue: usize,
        write: Write<I, O>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(queue);
        tokio::spawn(Worker { name, store, write, receiver, deferred: VecDeque::new() }.run());
        Self { queue: sender }
    }

    /// Waits until the item is committed or refused. A caller that goes away before its batch
    /// began takes its item with it.
    pub(super) async fn submit(&self, item: I) -> Result<O, Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { item: Arc::new(item), answer };
        self.queue.try_send(waiting).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded,
            mpsc::error::TrySendError::Closed(_) => {
                Error::Unavailable("the process is stopping".to_owned())
            }
        })?;
        // The sender is dropped unanswered only when the batch's task died in the middle.
        answered.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

struct Worker<I, O> {
    name: &'static str,
    store: Store,
    write: Write<I, O>,
    receiver: mpsc::Receiver<Waiting<I, O>>,
    /// Items whose idempotency key another item of the batch had: their turn comes next, when
    /// the first one's outcome can be read.
    deferred: VecDeque<Waiting<I, O>>,
}

impl<I: Item + Send + Sync + 'static, O: Send + 'static> Worker<I, O> {
    async fn run(mut self) {
        let size = metrics::histogram!("deed_append_batch_items", "batcher" => self.name);
        let mut arrived = Vec::with_capacity(MOST_IN_BATCH);
        loop {
            if self.deferred.is_empty()
                && self.receiver.recv_many(&mut arrived, MOST_IN_BATCH).await == 0
            {
                return;
            }
            while arrived.len() < MOST_IN_BATCH {
                let Ok(next) = self.receiver.try_recv() else { break };
                arrived.push(next);
            }
            let batch = self.choose(&mut arrived);
            #[expect(clippy::cast_precision_loss, reason = "a batch has at most 256 items")]
            size.record(batch.len() as f64);
            self.write_all(batch).await;
        }
    }

    /// The next batch: deferred items first, no idempotency key twice, nobody who has left.
    fn choose(&mut self, arrived: &mut Vec<Waiting<I, O>>) -> Vec<Waiting<I, O>> {
        let mut batch = Vec::with_capacity(self.deferred.len() + arrived.len());
        let mut keys = HashSet::new();
        let mut later = VecDeque::new();
        for waiting in self.deferred.drain(..).chain(arrived.drain(..)) {
            if waiting.answer.is_closed() {
                continue;
            }
            let key = waiting.item.idempotency().map(|i| (i.scope, i.key.clone()));
            if key.is_some_and(|key| !keys.insert(key)) {
                later.push_back(waiting);
            } else {
                batch.push(waiting);
            }
        }
        self.deferred = later;
        batch
    }

    /// Writes a batch; when PostgreSQL refuses it as a whole, each half by itself, so that one
    /// bad item never fails the others.
    async fn write_all(&self, batch: Vec<Waiting<I, O>>) {
        let mut pieces = vec![batch];
        while let Some(mut piece) = pieces.pop() {
            if piece.is_empty() {
                continue;
            }
            let items: Vec<Arc<I>> = piece.iter().map(|w| Arc::clone(&w.item)).collect();
            let written = AssertUnwindSafe((self.write)(&self.store, &items)).catch_unwind().await;
            // A panic must not end the task that all later appends depend on.
            match written.unwrap_or(Err(Error::OutcomeUnknown)) {
                Ok(results) => {
                    for (waiting, result) in piece.into_iter().zip(results) {
                        // A caller that left meanwhile finds its answer under its key.
                        let _gone = waiting.answer.send(result);
                    }
                }
                Err(error) => match shared(&error) {
                    Some(shared) => {
                        for waiting in piece {
                            let _gone = waiting.answer.send(Err(shared()));
                        }
                    }
                    None if piece.len() == 1 => {
                        let _gone = piece.remove(0).answer.send(Err(error));
                    }
                    None => {
                        metrics::counter!("deed_append_batch_splits_total", "batcher" => self.name)
                            .increment(1);
                        pieces.push(piece.split_off(piece.len() / 2));
                        pieces.push(piece);
                    }
                },
            }
        }
    }
}

/// An error of the connection, not of an item: every item of the batch gets one like it.
fn shared(error: &Error) -> Option<impl Fn() -> Error + use<>> {
    let reason = match error {
        Error::Unavailable(reason) => Some(reason.clone()),
        Error::OutcomeUnknown => None,
        _ => return None,
    };
    Some(move || reason.clone().map_or(Error::OutcomeUnknown, Error::Unavailable))
}
