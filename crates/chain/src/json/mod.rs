//! Strict I-JSON (RFC 7493) in, canonical JSON (RFC 8785) out.
//!
//! A signature over something other than what the client sent is a defect. Whatever RFC 8785
//! would have to change or drop (a duplicate key, a number that a double cannot hold) is refused.

mod canonical;
mod error;
mod number;
mod scan;
mod visitor;

use serde_json::Value;

pub use canonical::{canonical, write_string, write_value};
pub use error::JsonError;

/// The deepest nesting that [`parse`] can be asked for.
pub const MAX_DEPTH: usize = 127;

/// Parses `bytes` as one JSON value.
///
/// `max_depth` is the greatest number of nested arrays and objects (`[]` has 1), at most
/// [`MAX_DEPTH`]. Memory use is proportional to the length of `bytes`, which the caller bounds.
/// Numbers are normalised by value (`1.0`, `1e0` and `1` give equal values), so that the result
/// equals the parse of its own [`canonical`] form.
///
/// # Errors
/// [`JsonError`] names where: bad UTF-8, bad syntax or trailing data, lone surrogates, nesting
/// beyond `max_depth`, a key that occurs twice in one object, U+0000 in a string or key, and a
/// number whose decimal value is not that of the shortest form of its IEEE 754 double.
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError::NotUtf8 { offset: error.valid_up_to() })?;
    let scan = scan::scan(text, max_depth.min(MAX_DEPTH))?;
    visitor::build(text, scan.inexact)
}
