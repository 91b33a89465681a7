//! The light pass before the parser proper: nesting depth, and numbers as they are written.

use super::{error::JsonError, number};

/// A number that does not survive a double: its place in the order of all numbers, and its text.
pub(super) struct Inexact<'a> {
    /// How many numbers precede it in the document.
    pub(super) ordinal: usize,
    /// Where it begins.
    pub(super) offset: usize,
    /// The number as written.
    pub(super) text: &'a str,
}

/// What the scan found.
pub(super) struct Scan<'a> {
    /// The first number that is not acceptable.
    pub(super) inexact: Option<Inexact<'a>>,
}

/// Walks over `text` once without building anything, so that neither a deep nor a broken document
/// costs memory or stack.
pub(super) fn scan(text: &str, max_depth: usize) -> Result<Scan<'_>, JsonError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut ordinal) = (0, 0_usize, 0_usize);
    let mut inexact = None;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return Err(JsonError::TooDeep { limit: max_depth, offset: at });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at);
                let token = &text[at..end];
                if inexact.is_none() && !number::survives(token) {
                    inexact = Some(Inexact { ordinal, offset: at, text: token });
                }
                ordinal += 1;
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(Scan { inexact })
}

/// The index of the quote that closes a string whose first character is at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn number_end(bytes: &[u8], at: usize) -> usize {
    let tail = &bytes[at..];
    let part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    at + tail.iter().position(|b| !part(b)).unwrap_or(tail.len())
}
