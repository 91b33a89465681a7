//! When a delivery is tried again, and when an endpoint is left alone.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Seconds from a failed attempt to the next one. After the last of them a delivery is dead: 13
/// attempts in about three days.
const WAITS: [u64; 12] = [
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    12 * HOUR,
    24 * HOUR,
    24 * HOUR,
];

/// Failed attempts in a row after which an endpoint is left alone for a while.
pub const THRESHOLD: u32 = 5;
/// For how long at first; it doubles with each probe that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// For how long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The wait after attempt number `attempt` (from 1), `None` when it was the last one. It varies by a
/// fifth up or down, so that deliveries that failed together do not come back together.
#[must_use]
pub fn wait_after(attempt: u32, random: u32) -> Option<Duration> {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = WAITS.get(index)?;
    let factor = 0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX);
    Some(Duration::from_secs(*seconds).mul_f64(factor))
}

/// Whether an endpoint is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Everything is.
    Closed,
    /// Nothing is, until a pause has passed.
    Open,
    /// One delivery is, to see whether it works again.
    HalfOpen,
}

impl Circuit {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The health of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether it is delivered to.
    pub circuit: Circuit,
    /// Failed attempts since the last one that succeeded.
    pub failures: u32,
}

impl Health {
    /// After an attempt.
    #[must_use]
    pub fn after(self, succeeded: bool) -> Self {
        if succeeded {
            return Self { circuit: Circuit::Closed, failures: 0 };
        }
        // What was under way when it opened tells nothing new.
        if self.circuit == Circuit::Open {
            return self;
        }
        let failures = self.failures.saturating_add(1);
        let opens = self.circuit != Circuit::Closed || failures >= THRESHOLD;
        let circuit = if opens { Circuit::Open } else { Circuit::Closed };
        Self { circuit, failures }
    }

    /// How long an open circuit stays so: it doubles with each failure beyond those that opened it.
    #[must_use]
    pub fn pause(self) -> Duration {
        let beyond = self.failures.saturating_sub(THRESHOLD);
        let factor = 2_u32.checked_pow(beyond).unwrap_or(u32::MAX);
        FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_given_up_after_three_days() {
        let waits: Vec<_> = (1..).map_while(|n| wait_after(n, u32::MAX / 2)).collect();
        assert_eq!(waits.len(), 12);
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(24 * HOUR)));
        let total: Duration = waits.iter().sum();
        assert!((3.0..3.4).contains(&(total.as_secs_f64() / 86400.0)), "{total:?}");
        assert_eq!(wait_after(1, 0), Some(Duration::from_secs(4)));
        assert_eq!(wait_after(1, u32::MAX), Some(Duration::from_secs(6)));
        assert_eq!(wait_after(13, 0), None);
    }

    #[test]
    fn a_circuit_opens_after_five_failures_and_closes_after_one_success() {
        let mut health = Health { circuit: Circuit::Closed, failures: 0 };
        for _ in 0..4 {
            health = health.after(false);
            assert_eq!(health.circuit, Circuit::Closed);
        }
        health = health.after(false);
        assert_eq!((health.circuit, health.pause()), (Circuit::Open, FIRST_PAUSE));
        let probe = Health { circuit: Circuit::HalfOpen, ..health };
        assert_eq!(probe.after(false).circuit, Circuit::Open);
        assert_eq!(probe.after(false).pause(), FIRST_PAUSE * 2);
        assert_eq!(probe.after(true), Health { circuit: Circuit::Closed, failures: 0 });
        assert_eq!(Health { circuit: Circuit::Open, failures: 10_000 }.pause(), LONGEST_PAUSE);
    }
}
