use super::{Failure, Place, Reason, Stop};
use crate::{
    bundle::{Bundle, FORMAT, FORMAT_PREFIX, MAX_DEPTH, MAX_ENTRIES, MAX_RECORDS},
    json,
    key_set::MAX_KEYS,
};

const DOCUMENT: Place = Place::part("document");

/// Reads the document: strict JSON, a known format, canonical form, no unknown member.
pub(super) fn read(bytes: &[u8]) -> Result<Bundle, Stop> {
    let value = json::parse(bytes, MAX_DEPTH).map_err(malformed)?;
    let format = value.get("format").and_then(serde_json::Value::as_str).unwrap_or_default();
    if format != FORMAT {
        return Err(unknown_format(format));
    }
    let canonical = json::canonical(&value);
    if canonical != bytes {
        let same = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        let detail = format!("differs from its canonical form (RFC 8785) at byte {same}");
        return Err(DOCUMENT.fail(Reason::NotCanonical, detail).into());
    }
    drop(canonical);
    let bundle: Bundle = serde_json::from_value(value).map_err(malformed)?;
    within_limits(&bundle)?;
    Ok(bundle)
}

/// What is larger than any document that is made is no sign of tampering, but would take long.
fn within_limits(bundle: &Bundle) -> Result<(), Stop> {
    let counts = [
        ("keys", bundle.keys.len(), MAX_KEYS),
        ("records", bundle.records.len(), MAX_RECORDS),
        ("entries", bundle.records.iter().map(|record| record.entries.len()).sum(), MAX_ENTRIES),
    ];
    for (what, count, limit) in counts {
        if count > limit {
            let reason = format!("the document has {count} {what}; at most {limit} are checked");
            return Err(Stop::CannotTell(reason));
        }
    }
    Ok(())
}

fn malformed(error: impl std::fmt::Display) -> Failure {
    DOCUMENT.fail(Reason::Malformed, error)
}

/// A later version of the format is no sign of tampering, but nothing this program can judge.
fn unknown_format(format: &str) -> Stop {
    let number = |v: &&str| !v.starts_with('0') && v.bytes().all(|b| b.is_ascii_digit());
    match format.strip_prefix(FORMAT_PREFIX).filter(number).map(str::parse::<u32>) {
        Some(Ok(_)) => Stop::CannotTell(format!(
            "the document has format {format:?}, this program knows {FORMAT:?}"
        )),
        _ => malformed(format!("not a {FORMAT:?} document")).into(),
    }
}
