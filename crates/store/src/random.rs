//! Randomness of the operating system's generator.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// `N` random bytes.
///
/// # Panics
/// When the operating system gives no randomness: nothing may be signed or minted then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness the process must stop")]
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives randomness");
    bytes
}

/// A UUIDv7 (RFC 9562) of this instant: 48 bits of milliseconds, then 74 random bits.
#[must_use]
pub fn uuid_v7(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}
