//! Randomness of the operating system's generator.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Random bytes that are drawn at once for salts and ids: one call of the generator costs as much as
/// hashing a record.
const POOL: usize = 512;

thread_local! {
    /// Bytes not handed out yet; the number of those that were.
    static DRAWN: RefCell<([u8; POOL], usize)> = const { RefCell::new(([0; POOL], POOL)) };
}

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

/// `N` random bytes, at most 512, for salts and ids: as unpredictable as [`bytes`], but they wait in
/// memory for a while. Not for keys.
///
/// # Panics
/// As [`bytes`].
#[must_use]
pub fn pooled<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL) };
    DRAWN.with_borrow_mut(|(pool, used)| {
        if *used + N > POOL {
            (*pool, *used) = (bytes(), 0);
        }
        let mut drawn = [0; N];
        let taken = &mut pool[*used..*used + N];
        drawn.copy_from_slice(taken);
        taken.fill(0);
        *used += N;
        drawn
    })
}

/// A UUIDv7 (RFC 9562) of this instant: 48 bits of milliseconds, then 74 random bits.
#[must_use]
pub fn uuid_v7(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &pooled()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_handed_out_twice() {
        let drawn: HashSet<[u8; 24]> = (0..10_000).map(|_| pooled()).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|bytes| bytes.iter().any(|byte| *byte != 0)));
    }
}
