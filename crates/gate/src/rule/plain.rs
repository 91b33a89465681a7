//! Texts and booleans: the same, or not.

use serde_json::Value;

use super::Pair;
use crate::fault::{Faults, Members, named, one_of};
use crate::limits::{CHOICES, TEXT_BYTES};
use crate::outcome::{Finding, Judged};
use crate::show;

/// How two texts are compared: by code points, without normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matching {
    Exact,
    /// By the lower case of each character (Unicode, no locale).
    CaseInsensitive,
    /// The evidence begins with the criterion.
    Prefix,
    /// The criterion is a list, and the evidence one of it.
    OneOf,
}

impl Matching {
    const NAMES: [(&'static str, Self); 4] = [
        ("exact", Self::Exact),
        ("caseInsensitive", Self::CaseInsensitive),
        ("prefix", Self::Prefix),
        ("oneOf", Self::OneOf),
    ];

    pub(super) fn take(members: &mut Members<'_>, faults: &mut Faults) -> Self {
        let read = |value| named(&Self::NAMES, value);
        let taken = members.optional("comparison", &one_of(&Self::NAMES), faults, read);
        taken.unwrap_or(Self::Exact)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, item)| *item == self).map_or("exact", |(name, _)| name)
    }

    fn holds<'a>(self, expected: &[&'a str], found: &'a str) -> bool {
        let lower = |text: &'a str| text.chars().flat_map(char::to_lowercase);
        expected.iter().any(|expected| match self {
            Self::Exact | Self::OneOf => *expected == found,
            Self::CaseInsensitive => lower(expected).eq(lower(found)),
            Self::Prefix => found.starts_with(*expected),
        })
    }
}

const TEXT: &str = "a string of at most 65536 bytes";
const LIST: &str = "an array of 1 to 256 strings of at most 65536 bytes";

fn read_text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) if text.len() <= TEXT_BYTES => Ok(text),
        Value::String(text) => Err(format!("one of {} bytes", text.len())),
        other => Err(show::kind(other).to_owned()),
    }
}

fn read_list(value: &Value) -> Result<Vec<&str>, String> {
    match value {
        Value::Array(items) if (1..=CHOICES).contains(&items.len()) => {
            items.iter().map(read_text).collect()
        }
        other => Err(show::value(other)),
    }
}

pub(super) fn text(pair: &Pair<'_>, matching: Matching) -> Finding {
    let (expected, found) = match matching {
        Matching::OneOf => (pair.expected.map(read_list), LIST),
        _ => (pair.expected.map(|value| read_text(value).map(|text| vec![text])), TEXT),
    };
    let judged = match pair.both(expected, found, pair.found.map(read_text), TEXT) {
        Err(reason) => Judged::Error(reason),
        Ok((expected, found)) if matching.holds(&expected, found) => Judged::Pass,
        Ok(_) => Judged::Fail("the text is not what was asked for"),
    };
    Finding { comparison: Some(matching.name()), ..pair.finding(judged) }
}

pub(super) fn boolean(pair: &Pair<'_>) -> Finding {
    let read = |value: &Value| value.as_bool().ok_or_else(|| show::kind(value).to_owned());
    let (expected, found) = (pair.expected.map(read), pair.found.map(read));
    let judged = match pair.both(expected, "a boolean", found, "a boolean") {
        Err(reason) => Judged::Error(reason),
        Ok((expected, found)) if expected == found => Judged::Pass,
        Ok(_) => Judged::Fail("the two differ"),
    };
    pair.finding(judged)
}
