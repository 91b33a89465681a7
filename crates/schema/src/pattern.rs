//! Regular expressions of `pattern` and `patternProperties`: only those that run in linear time.

use crate::error::SchemaError;
use crate::limits::{PATTERN_BYTES, PATTERN_PROGRAM_BYTES};
use crate::reference::shorten;

/// Sixteenths of a step for one byte of text and one KiB of program.
const STEPS_PER_KIB: u64 = 40;

/// What matching one byte of text with the pattern may cost, in sixteenths of a step.
///
/// Mostly it costs next to nothing, but a text can make the engine's lazy automaton thrash, and then
/// each byte costs time in proportion to the program: measured with `[01]*1[01]{n}x` on random
/// bits, some 60 ns for each KiB of program. The program's size is found by compiling within limits
/// that double.
pub(crate) fn check(path: impl Fn() -> String, pattern: &str) -> Result<u64, SchemaError> {
    let shown = || shorten(pattern, 80);
    if pattern.len() > PATTERN_BYTES {
        return Err(SchemaError::PatternTooLarge { path: path(), pattern: shown() });
    }
    if let Some(construct) = unsupported(pattern) {
        return Err(SchemaError::UnsupportedPattern { path: path(), pattern: shown(), construct });
    }
    let bad = |reason| SchemaError::BadPattern { path: path(), pattern: shown(), reason };
    let translated = jsonschema_regex::to_rust_regex(pattern)
        .map_err(|()| bad("it is not a regular expression of ECMA-262".to_owned()))?;
    let mut limit = 1024;
    while limit < PATTERN_PROGRAM_BYTES && build(&translated, limit).is_err() {
        limit *= 2;
    }
    match build(&translated, limit) {
        Ok(_) => Ok(limit as u64 / 1024 * STEPS_PER_KIB),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(SchemaError::PatternTooLarge { path: path(), pattern: shown() })
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(bad(reason.to_owned()))
        }
    }
}

fn build(translated: &str, limit: usize) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(translated).size_limit(limit).build()
}

/// Names the first construct of ECMA-262 that no linear-time engine has.
fn unsupported(pattern: &str) -> Option<&'static str> {
    let bytes = pattern.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let next = bytes.get(at + 1);
                if !in_class && next.is_some_and(|c| matches!(c, b'1'..=b'9' | b'k')) {
                    return Some("a backreference");
                }
                at += 1;
            }
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = &bytes[at + 1..];
                if [&b"?="[..], b"?!", b"?<=", b"?<!"].iter().any(|look| rest.starts_with(look)) {
                    return Some("look-around");
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pattern: &str) -> Result<u64, SchemaError> {
        check(|| "/pattern".to_owned(), pattern)
    }

    #[test]
    fn ordinary_patterns_are_cheap() {
        for pattern in [r"^[a-z]{1,20}$", r"^\d+(\.\d+)?$", r"[(?=]", r"\(\?=", r"^(a+)+$", ""] {
            assert!(checked(pattern).expect(pattern) <= 4 * STEPS_PER_KIB, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_run_in_linear_time_is_refused_by_name() {
        for (pattern, expected) in [
            ("^(?=a)b", "look-around"),
            ("a(?!b)", "look-around"),
            ("(?<=a)b", "look-around"),
            ("(?<!a)b", "look-around"),
            (r"(a)\1", "a backreference"),
            (r"(?<n>a)\k<n>", "a backreference"),
        ] {
            match checked(pattern) {
                Err(SchemaError::UnsupportedPattern { construct, .. }) => {
                    assert_eq!(construct, expected, "{pattern}");
                }
                other => panic!("{pattern}: {other:?}"),
            }
        }
    }

    #[test]
    fn broken_and_oversized_patterns_are_refused() {
        for pattern in ["(", "[z-a]", "a{2,1}", "*"] {
            assert!(matches!(checked(pattern), Err(SchemaError::BadPattern { .. })), "{pattern}");
        }
        for pattern in ["((a{100}){100}){100}", &"a".repeat(PATTERN_BYTES + 1)] {
            assert!(matches!(checked(pattern), Err(SchemaError::PatternTooLarge { .. })));
        }
    }

    #[test]
    fn larger_programs_cost_more() {
        let cost = |pattern| checked(pattern).expect("compiles");
        assert!(cost("[01]*1[01]{800}x") > 4 * cost("[01]*1[01]{100}x"));
    }
}
