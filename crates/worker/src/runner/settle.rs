//! Settling: outcomes are written in batches, as many as have gathered while the last one was
//! under way.

use std::sync::Arc;
use std::time::Duration;

use deed_store::queue::{Failure, Held};
use deed_store::{Error, Store, random};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::figures::End;
use super::hands::{Hands, Outcome};
use crate::kind::{JobError, Kind};

/// Outcomes of one transaction.
const BATCH: usize = 1000;
/// Pause before a batch that failed is tried again.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// Settles until the last sender is gone.
pub(super) async fn run(store: Store, hands: Arc<Hands>, mut outcomes: mpsc::Receiver<Outcome>) {
    let mut batch = Vec::new();
    while outcomes.recv_many(&mut batch, BATCH).await > 0 {
        settle(&store, &hands, &batch).await;
        hands.forget(batch.drain(..).map(|outcome| outcome.held));
    }
}

async fn settle(store: &Store, hands: &Hands, batch: &[Outcome]) {
    let (done, failed) = sort(&hands.kinds, batch);
    let mut refused = persist(store, hands, Open::Done(done)).await;
    refused.extend(persist(store, hands, Open::Failed(failed)).await);
    for outcome in batch {
        count(hands, outcome, refused.contains(&outcome.held));
    }
}

/// Outcomes of one sort that are not yet written.
enum Open {
    Done(Vec<Held>),
    Failed(Vec<Failure>),
}

impl Open {
    async fn write(&self, store: &Store) -> Result<Vec<Held>, Error> {
        match self {
            Self::Done(held) => store.finish_jobs(held).await,
            Self::Failed(failures) => store.fail_jobs(failures).await,
        }
    }

    /// Gives up those whose lease is over. Says whether anything is left.
    fn keep_leased(&mut self, hands: &Hands) -> bool {
        let now = Instant::now();
        match self {
            Self::Done(held) => held.retain(|one| hands.is_leased(*one, now)),
            Self::Failed(failures) => failures.retain(|one| hands.is_leased(one.held, now)),
        }
        match self {
            Self::Done(held) => !held.is_empty(),
            Self::Failed(failures) => !failures.is_empty(),
        }
    }
}

fn sort(kinds: &[Kind], batch: &[Outcome]) -> (Vec<Held>, Vec<Failure>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for Outcome { held, kind, attempt, result } in batch {
        let kind = &kinds[*kind];
        let retry_in = match result {
            Ok(()) => {
                done.push(*held);
                continue;
            }
            Err(JobError::Fenced) => continue,
            Err(JobError::Dead(_)) => None,
            Err(JobError::Retry(_)) if *attempt >= kind.attempts => None,
            Err(JobError::Retry(_)) => {
                let random = u32::from_be_bytes(random::bytes());
                Some(kind.backoff.delay(*attempt, random))
            }
        };
        let error = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        if retry_in.is_none() {
            tracing::error!(kind = kind.name, job = %held.id, error, "a job is dead");
        }
        failed.push(Failure { held: *held, error, retry_in });
    }
    (done, failed)
}

/// Writes until it is written, or until the leases are over and others have the jobs. Gives those
/// that were refused.
async fn persist(store: &Store, hands: &Hands, mut open: Open) -> Vec<Held> {
    let mut uncertain = false;
    loop {
        match open.write(store).await {
            // After an unknown outcome, a refusal may be our own success.
            Ok(_) if uncertain => return Vec::new(),
            Ok(refused) => return refused,
            Err(error) => {
                tracing::warn!(%error, "outcomes could not be settled");
                uncertain |= matches!(error, Error::OutcomeUnknown);
            }
        }
        sleep(AFTER_ERROR).await;
        if !open.keep_leased(hands) {
            return Vec::new();
        }
    }
}

fn count(hands: &Hands, outcome: &Outcome, refused: bool) {
    let kind = hands.kinds[outcome.kind].name;
    let end = match &outcome.result {
        _ if refused => End::Fenced,
        Ok(()) => End::Done,
        Err(JobError::Fenced) => End::Fenced,
        Err(_) => End::Failed,
    };
    metrics::counter!("deed_jobs_total", "kind" => kind, "outcome" => end.as_str()).increment(1);
    hands.ledger.ended(kind, end);
    if end == End::Fenced {
        tracing::warn!(kind, job = %outcome.held.id, "a late outcome was refused: others have the job");
    }
}
