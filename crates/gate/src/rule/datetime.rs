//! Instants (RFC 3339), compared as such whatever their offsets, exact to the nanosecond.

use chrono::DateTime;
use serde_json::Value;

use super::Pair;
use crate::decimal::Decimal;
use crate::limits::DATETIME_BYTES;
use crate::outcome::{Finding, Judged};
use crate::show;
use crate::tolerance::Band;

const EXPECTED: &str = "an RFC 3339 date-time like 2026-01-31T12:00:00Z, to the nanosecond at most";

/// Seconds since the Unix epoch. A leap second is the first second of the next minute.
fn read(value: &Value) -> Result<Decimal, String> {
    let Value::String(text) = value else { return Err(show::kind(value).to_owned()) };
    parse(text).ok_or_else(|| show::value(value))
}

fn parse(text: &str) -> Option<Decimal> {
    if text.len() > DATETIME_BYTES
        || !text.is_ascii()
        || !matches!(text.as_bytes().get(10), Some(b'T' | b't'))
    {
        return None;
    }
    // The parser would drop digits beyond the nanosecond instead of refusing them.
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    if fraction.bytes().take_while(u8::is_ascii_digit).count() > 9 {
        return None;
    }
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    let nanoseconds =
        i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos());
    Decimal::parse(&format!("{nanoseconds}e-9"))
}

pub(super) fn judge(pair: &Pair<'_>, band: &Band, dispute: Option<&Decimal>) -> Finding {
    let distance = pair
        .read(EXPECTED, read)
        .map(|(expected, found)| (found.minus(&expected), expected))
        .map_err(Judged::Error);
    pair.within(band, dispute, distance)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn instants() {
        let same =
            ["2026-01-31T12:00:00Z", "2026-01-31t13:30:00.000+01:30", "2026-01-31T12:00:00z"];
        for text in same {
            assert_eq!(parse(text).unwrap().to_string(), "1769860800", "{text}");
        }
        assert_eq!(parse("1969-12-31T23:59:59.5Z").unwrap().to_string(), "-0.5");
        assert_eq!(
            parse("2026-01-31T12:00:00.123456789Z").unwrap().to_string(),
            "1769860800.123456789"
        );
        assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2017-01-01T00:00:00Z"), "a leap second");
        assert!(parse("0000-01-01T00:00:00Z") < parse("9999-12-31T23:59:59Z"));
        for bad in [
            "",
            "2026-01-31",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00",
            "2026-02-30T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00.1234567890Z",
            "2026-01-31T12:00Z",
            "now",
            "2026-01-31T12:00:00+25:00",
            "２026-01-31T12:00:00Z",
            " 2026-01-31T12:00:00Z",
            "+2026-01-31T12:00:00Z",
            "12026-01-31T12:00:00Z",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
