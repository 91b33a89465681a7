//! What Deed signs and hashes, and how anybody checks it.
//!
//! This crate is pure: no I/O, no clock, no randomness, no async. Salts, times and signatures are
//! passed in, so the server, the command line and a WebAssembly shell share one implementation.
//! The wire format is specified in `docs/spec/`; `testdata/vectors/` holds byte-exact examples.
//!
//! * [`json`]: strict I-JSON parsing (RFC 7493) and canonical JSON (RFC 8785).
//! * [`hash`], [`key`], [`key_set`]: SHA-256 values, Ed25519 keys and their published forms.
//! * [`body`], [`entry`]: a salted body and the COSE_Sign1 (RFC 9052) statement over its hash.
//! * [`genesis`], [`bundle`], [`checkpoint`]: an installation's first statement, the export document, and the
//!   state of a chain.
//! * [`anchor`]: files of checkpoints.
//! * [`verify`](mod@verify): the offline judgement of an export document.

pub mod anchor;
pub mod base64url;
pub mod body;
pub mod bundle;
mod cbor;
pub mod checkpoint;
pub mod entry;
pub mod genesis;
pub mod hash;
pub mod json;
pub mod key;
pub mod key_set;
pub mod labels;
pub mod time;
pub mod verify;

pub use bundle::Bundle;
pub use entry::{Claims, Decoded, Entry, Link, Unsigned};
pub use hash::{Hash, sha256};
pub use key::{PublicKey, Thumbprint};
pub use key_set::KeySet;
pub use verify::{Report, Verdict, verify};
