//! Prebuilt requests with holes for what must differ from one to the next.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use memchr::memmem;

use crate::http::Request;

/// Stands in a body where each request gets a number of its own; ten digits, so that lengths are fixed.
pub(crate) const MARKER_HOLE: &str = "0123456789";
const KEY_HOLE: &str = "00000000-dead-4eed-8000-000000000000";

/// The class of answer that a request must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// 201.
    Created,
    /// Any 4xx other than 408 and 429.
    Refused,
}

impl Expect {
    /// Whether `status` is of this class.
    pub(crate) fn admits(self, status: u16) -> bool {
        match self {
            Self::Created => status == 201,
            Self::Refused => (400..500).contains(&status) && status != 408 && status != 429,
        }
    }
}

/// One request, ready but for its holes.
#[derive(Clone)]
pub(crate) struct Template {
    wire: Vec<u8>,
    key_at: Option<usize>,
    marker_at: Option<usize>,
    expect: Expect,
}

impl Template {
    /// A `POST` of `body` to `path`; with `key` `None` each request gets a fresh Idempotency-Key.
    ///
    /// # Errors
    /// When the holes cannot be found, which is a defect of this program.
    pub(crate) fn new(
        host: SocketAddr,
        bearer: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
        expect: Expect,
    ) -> Result<Self> {
        let fresh = key.is_none();
        let key = key.unwrap_or(KEY_HOLE);
        let wire = Request::post(path, Some(key), body.as_bytes()).to_bytes(host, bearer);
        let key_at = if fresh {
            Some(memmem::find(&wire, KEY_HOLE.as_bytes()).context("request without its key hole")?)
        } else {
            None
        };
        let marker_at = memmem::find(&wire, MARKER_HOLE.as_bytes());
        ensure!(marker_at != key_at || marker_at.is_none(), "holes overlap");
        Ok(Self { wire, key_at, marker_at, expect })
    }

    /// What the answer must be.
    pub(crate) fn expect(&self) -> Expect {
        self.expect
    }

    /// Writes the request into `out`, with `key` and the number `serial` in its holes.
    pub(crate) fn fill(&self, out: &mut Vec<u8>, key: &[u8; 36], serial: u64) {
        out.clear();
        out.extend_from_slice(&self.wire);
        if let Some(at) = self.key_at {
            out[at..at + key.len()].copy_from_slice(key);
        }
        if let Some(at) = self.marker_at {
            let mut rest = serial;
            for digit in out[at..at + MARKER_HOLE.len()].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// What a cell sends: templates picked evenly, some of them meant to be refused.
#[derive(Clone)]
pub(crate) struct Workload {
    valid: Vec<Template>,
    invalid: Vec<Template>,
    invalid_share: f64,
}

impl Workload {
    /// Picks evenly among `templates`.
    pub(crate) fn of(templates: Vec<Template>) -> Self {
        Self { valid: templates, invalid: Vec::new(), invalid_share: 0.0 }
    }

    /// The same, with `share` (0 to 1) of the requests picked from `invalid`.
    pub(crate) fn with_invalid(mut self, invalid: Vec<Template>, share: f64) -> Self {
        self.invalid = invalid;
        self.invalid_share = share;
        self
    }

    /// The next request.
    pub(crate) fn pick(&self, rng: &mut fastrand::Rng) -> &Template {
        let from = if !self.invalid.is_empty() && rng.f64() < self.invalid_share {
            &self.invalid
        } else {
            &self.valid
        };
        &from[rng.usize(..from.len())]
    }
}

/// A random (version 4) UUID as text: what clients use as Idempotency-Key.
pub(crate) fn new_key(rng: &mut fastrand::Rng) -> [u8; 36] {
    let mut text = [0; 36];
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes())
        .into_uuid()
        .hyphenated()
        .encode_lower(&mut text);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn template(key: Option<&str>, expect: Expect) -> Template {
        let host = SocketAddr::from(([127, 0, 0, 1], 80));
        let body = format!("{{\"n\":\"{MARKER_HOLE}\"}}");
        Template::new(host, "b", "/v1/x", key, &body, expect).unwrap()
    }

    #[test]
    fn holes_are_filled_and_nothing_else_moves() {
        let template = template(None, Expect::Created);
        let mut out = Vec::new();
        let key = new_key(&mut fastrand::Rng::with_seed(1));
        template.fill(&mut out, &key, 42);
        let text = String::from_utf8(out).unwrap();
        let key = std::str::from_utf8(&key).unwrap();
        assert!(text.contains(&format!("idempotency-key: {key}\r\n")), "{text}");
        assert!(text.ends_with("{\"n\":\"0000000042\"}"), "{text}");
        assert_eq!(text.len(), template.wire.len());
    }

    #[test]
    fn a_fixed_key_stays() {
        let mut out = Vec::new();
        template(Some("fixed"), Expect::Refused).fill(&mut out, &[b'x'; 36], 7);
        assert!(String::from_utf8(out).unwrap().contains("idempotency-key: fixed\r\n"));
    }

    #[test]
    fn the_share_of_invalid_requests_is_kept() {
        let workload = Workload::of(vec![template(None, Expect::Created)])
            .with_invalid(vec![template(None, Expect::Refused)], 0.01);
        let mut rng = fastrand::Rng::with_seed(3);
        let refused =
            (0..100_000).filter(|_| workload.pick(&mut rng).expect() == Expect::Refused).count();
        assert!((900..1100).contains(&refused), "{refused}");
    }

    #[test]
    fn keys_are_version_4_uuids_and_differ() {
        let mut rng = fastrand::Rng::with_seed(2);
        let (a, b) = (new_key(&mut rng), new_key(&mut rng));
        assert_ne!(a, b);
        assert_eq!(uuid::Uuid::try_parse_ascii(&a).unwrap().get_version_num(), 4);
    }

    #[test]
    fn expectations() {
        assert!(Expect::Created.admits(201) && !Expect::Created.admits(200));
        assert!(Expect::Refused.admits(422) && !Expect::Refused.admits(429));
        assert!(!Expect::Refused.admits(500));
    }
}
