//! The export document: records with everything it takes to verify them.

mod draft;
mod wire;

pub use draft::{BuildError, Draft, Record, Stored};
pub use wire::{Bundle, BundledEntry, Chain, Coverage, ExportBody, Sealed};

/// Version of the document that this crate writes and verifies.
pub const FORMAT: &str = "deed-export/1";
/// What `format` begins with in every version.
pub const FORMAT_PREFIX: &str = "deed-export/";
/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/json";
/// Deepest nesting of the document.
pub const MAX_DEPTH: usize = 64;
/// Most records in one document.
pub const MAX_RECORDS: usize = 100_000;
/// Most entries in one document.
pub const MAX_ENTRIES: usize = 1_000_000;
