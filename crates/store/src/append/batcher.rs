//! Group commit without a timer: whatever has arrived when the previous transaction is done
//! makes the next one.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{Notify, mpsc, oneshot};

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

/// Fewest waiting requests for which a second transaction is begun beside the one under way.
const LEAST_BESIDE: usize = 4;

/// A queue with one task that writes what is in it.
pub(super) struct Batcher<I, O> {
    queue: mpsc::Sender<Waiting<I, O>>,
    beside: Arc<Beside>,
}

/// When a second transaction is begun although one is under way: with two, one is executed while the
/// other waits for the disk and its answers go out. Begun for few requests it would only make both
/// smaller, and a transaction costs the same however much is in it.
#[derive(Default)]
struct Beside {
    /// Number of waiting requests at which the writing task is woken; 0 is never.
    wake_at: AtomicUsize,
    woken: Notify,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), beside: Arc::clone(&self.beside) }
    }
}

impl<I, O> Batcher<I, O>
where
    I: Item + Send + Sync + 'static,
    O: Send + 'static,
{
    /// Starts a batcher with room for `queue` waiting requests and at most `at_once` transactions.
    pub(super) fn start(
        name: &'static str,
        store: Store,
        queue: usize,
        at_once: usize,
        write: Write<I, O>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(queue);
        let beside = Arc::new(Beside::default());
        let writer = Writer { name, store, write };
        let deferred = VecDeque::new();
        let worker = Worker { writer, receiver, at_once, beside: Arc::clone(&beside), deferred };
        tokio::spawn(worker.run());
        Self { queue: sender, beside }
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
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        let wake_at = self.beside.wake_at.load(Ordering::Relaxed);
        if wake_at > 0 && waiting >= wake_at {
            self.beside.woken.notify_one();
        }
        // The sender is dropped unanswered only when the batch's task died in the middle.
        answered.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

struct Worker<I, O> {
    writer: Writer<I, O>,
    receiver: mpsc::Receiver<Waiting<I, O>>,
    at_once: usize,
    beside: Arc<Beside>,
    /// Items whose idempotency key another item of the batch had: their turn comes next, when
    /// the first one's outcome can be read.
    deferred: VecDeque<Waiting<I, O>>,
}

impl<I: Item + Send + Sync + 'static, O: Send + 'static> Worker<I, O> {
    async fn run(mut self) {
        let size = metrics::histogram!("deed_append_batch_items", "batcher" => self.writer.name);
        let mut arrived = Vec::with_capacity(MOST_IN_BATCH);
        let mut under_way = FuturesUnordered::new();
        let mut newest = 0;
        loop {
            if !under_way.is_empty() && !self.begins_beside(&mut under_way, newest).await {
                continue;
            }
            if self.deferred.is_empty()
                && self.receiver.recv_many(&mut arrived, MOST_IN_BATCH).await == 0
            {
                break;
            }
            while arrived.len() < MOST_IN_BATCH {
                let Ok(next) = self.receiver.try_recv() else { break };
                arrived.push(next);
            }
            let batch = self.choose(&mut arrived);
            newest = batch.len();
            #[expect(clippy::cast_precision_loss, reason = "a batch has at most 256 items")]
            size.record(newest as f64);
            under_way.push(self.writer.clone().write_all(batch));
        }
        while under_way.next().await.is_some() {}
    }

    /// With a transaction of `newest` requests under way: waits until another one begins beside it
    /// (true), or until one has ended (false).
    async fn begins_beside<F: Future<Output = ()>>(
        &mut self,
        under_way: &mut FuturesUnordered<F>,
        newest: usize,
    ) -> bool {
        if under_way.len() >= self.at_once {
            under_way.next().await;
            return false;
        }
        let enough = (newest / 2).max(LEAST_BESIDE);
        self.beside.wake_at.store(enough, Ordering::Relaxed);
        let begins = self.receiver.len() >= enough
            || tokio::select! {
                biased;
                _ = under_way.next() => false,
                () = self.beside.woken.notified() => self.receiver.len() >= enough,
            };
        self.beside.wake_at.store(0, Ordering::Relaxed);
        begins
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
}

/// How a batch is written.
struct Writer<I, O> {
    name: &'static str,
    store: Store,
    write: Write<I, O>,
}

impl<I, O> Clone for Writer<I, O> {
    fn clone(&self) -> Self {
        Self { name: self.name, store: self.store.clone(), write: self.write }
    }
}

impl<I, O> Writer<I, O> {
    /// Writes a batch; when PostgreSQL refuses it as a whole, each half by itself, so that one
    /// bad item never fails the others.
    async fn write_all(self, batch: Vec<Waiting<I, O>>) {
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
