//! What the runner knows of a kind of job.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deed_store::Store;
use deed_store::queue::ClaimedJob;
use futures::future::BoxFuture;

/// Why an attempt did not do its job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// It will never work: to the dead letters at once.
    #[error("{0}")]
    Dead(String),
    /// The claim was no longer valid when the effect was to be written. Another worker has the job.
    #[error("another worker has taken the job over")]
    Fenced,
}

impl From<deed_store::Error> for JobError {
    fn from(error: deed_store::Error) -> Self {
        match error {
            deed_store::Error::Conflict { code: "job-fenced", .. } => Self::Fenced,
            other => Self::Retry(other.to_string()),
        }
    }
}

/// Does a job. It may be dropped at any await: when its lease is lost, when it takes longer than its
/// limit, when the worker stops. It may be called again for the same job, so its effect is written
/// together with [`deed_store::queue::finish`], or is refused the second time by what it changed.
pub type Handler =
    Arc<dyn Fn(Store, ClaimedJob) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync>;

/// A kind of job.
#[derive(Clone)]
pub struct Kind {
    /// Its name in the queue.
    pub name: &'static str,
    /// Does it.
    pub handler: Handler,
    /// Most of them at once in one process, if less than `WORKER_CONCURRENCY`.
    pub concurrency: Option<usize>,
    /// Longest time for one attempt.
    pub limit: Duration,
    /// Attempts before it is dead.
    pub attempts: u32,
    /// Waits between attempts.
    pub backoff: Backoff,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt.
    pub first: Duration,
    /// After any.
    pub most: Duration,
}

impl Backoff {
    /// The wait after attempt number `attempt` (from 1): it doubles each time, and lies between half
    /// of that and all of it, so that jobs that failed together do not come back together.
    #[must_use]
    pub fn delay(self, attempt: u32, random: u32) -> Duration {
        let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.most);
        whole.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(2), most: Duration::from_secs(60) };

    #[test]
    fn a_delay_doubles_up_to_the_most() {
        let all = |attempt| BACKOFF.delay(attempt, u32::MAX).as_secs();
        assert_eq!([1, 2, 3, 5, 6, 7, 1000].map(all), [2, 4, 8, 32, 60, 60, 60]);
    }

    #[test]
    fn jitter_takes_off_up_to_a_half() {
        assert_eq!(BACKOFF.delay(3, 0), Duration::from_secs(4));
        let middle = BACKOFF.delay(3, u32::MAX / 2).as_secs_f64();
        assert!((5.9..6.1).contains(&middle), "{middle}");
    }
}
