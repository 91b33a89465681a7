//! Exact decimal numbers. No float is ever computed with.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr as _;

use bigdecimal::num_bigint::Sign;
use bigdecimal::{BigDecimal, Zero as _};
use serde_json::Value;

use crate::limits::{NUMBER_BYTES, NUMBER_DIGITS, NUMBER_EXPONENT, RESULT_EXPONENT};
use crate::show;

/// An exact decimal number, without trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(BigDecimal);

impl Decimal {
    /// What a number has to look like.
    pub(crate) const EXPECTED: &'static str = "a number, or a decimal string like \"12.50\", of at \
        most 64 significant digits between 1e-400 and 1e400";

    pub(crate) fn zero() -> Self {
        Self(BigDecimal::zero())
    }

    /// A JSON number, or a string that holds one (RFC 8259 section 6, no space around it).
    ///
    /// # Errors
    /// What was found instead.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let parsed = match value {
            Value::Number(number) => Self::parse(&number_text(number)),
            Value::String(text) => Self::parse(text),
            _ => return Err(show::kind(value).to_owned()),
        };
        parsed.ok_or_else(|| show::value(value))
    }

    /// `None` when the text is no JSON number or over a limit. The limits are checked on the text, so
    /// that an exponent like 1e999999999 costs nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > NUMBER_BYTES {
            return None;
        }
        let parts = Parts::of(text)?;
        let Some((lowest, highest)) = parts.powers() else { return Some(Self::zero()) };
        let fits = -NUMBER_EXPONENT <= lowest && highest <= NUMBER_EXPONENT;
        if !fits || highest.abs_diff(lowest) >= NUMBER_DIGITS {
            return None;
        }
        BigDecimal::from_str(text).ok().map(|number| Self(number.normalized()))
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self((&self.0 + &other.0).normalized())
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self((&self.0 - &other.0).normalized())
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        Self((&self.0 * &other.0).normalized())
    }

    pub(crate) fn negated(&self) -> Self {
        Self(-&self.0)
    }

    pub(crate) fn abs(&self) -> Self {
        Self(self.0.abs())
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.0.sign() == Sign::Minus
    }

    /// Whether every digit lies within [`RESULT_EXPONENT`] of the decimal point: what an expression
    /// computes stays small, whatever it multiplies.
    pub(crate) fn is_bounded(&self) -> bool {
        let lowest = -self.0.fractional_digit_count();
        let highest = self.0.order_of_magnitude();
        self.0.is_zero() || (-RESULT_EXPONENT <= lowest && highest <= RESULT_EXPONENT)
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self(BigDecimal::from(number).normalized())
    }
}

impl fmt::Display for Decimal {
    /// Plain digits where a person would write them, else with an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written_out = -30..=30;
        let plain = written_out.contains(&self.0.order_of_magnitude())
            && self.0.fractional_digit_count() <= 60;
        if plain || self.0.is_zero() {
            f.write_str(&self.0.to_plain_string())
        } else {
            f.write_str(&self.0.to_scientific_notation())
        }
    }
}

/// The digits of a number as RFC 8785 writes them: those that the client sent, because the strict
/// parser refuses a number that a double does not keep.
fn number_text(number: &serde_json::Number) -> String {
    if number.is_f64() {
        let double = number.as_f64().unwrap_or_default();
        ryu_js::Buffer::new().format(double).to_owned()
    } else {
        number.to_string()
    }
}

/// The pieces of a JSON number.
struct Parts<'t> {
    whole: &'t str,
    fraction: &'t str,
    exponent: i64,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let well_formed = digits(whole) && !leading_zero && fraction.is_none_or(digits);
        well_formed.then(|| Self { whole, fraction: fraction.unwrap_or_default(), exponent })
    }

    /// The powers of ten of the last and the first digit that is not zero; `None` for zero.
    fn powers(&self) -> Option<(i64, i64)> {
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        let digits = || self.whole.bytes().chain(self.fraction.bytes());
        let first = digits().position(|b| b != b'0')?;
        let last = self.whole.len() + self.fraction.len()
            - 1
            - self
                .fraction
                .bytes()
                .rev()
                .chain(self.whole.bytes().rev())
                .position(|b| b != b'0')?;
        let power = |at: usize| {
            let below_point = i64::try_from(at).unwrap_or(i64::MAX) + 1;
            (length(self.whole) - below_point).saturating_add(self.exponent)
        };
        Some((power(last), power(first)))
    }
}

/// Saturates: an exponent that large is over every limit.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 2);
    Some(if negative { -magnitude } else { magnitude })
}

/// How `found` lies to `expected`, for the three comparisons that a mapping may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Equal, within the tolerance on both sides.
    Exact,
    /// Not more than expected and the tolerance.
    AtMost,
    /// Not less than expected without the tolerance.
    AtLeast,
}

impl Comparison {
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("exact", Self::Exact), ("atMost", Self::AtMost), ("atLeast", Self::AtLeast)];

    /// Judges by how far `found` is above `expected` (negative: below) and how far it may be away.
    pub(crate) fn holds<T: Ord>(self, above: &T, lowest: &T, highest: &T) -> bool {
        match self {
            Self::Exact => lowest <= above && above <= highest,
            Self::AtMost => above <= highest,
            Self::AtLeast => above.cmp(lowest) != Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Decimal;

    fn shown(text: &str) -> Option<String> {
        Decimal::parse(text).map(|decimal| decimal.to_string())
    }

    #[test]
    fn grammar_and_rendering() {
        for (text, canonical) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000", "0"),
            ("0e999999999999999999999", "0"),
            ("1.50", "1.5"),
            ("-12.340e1", "-123.4"),
            ("100", "100"),
            ("1E+2", "100"),
            ("9007199254740993", "9007199254740993"),
            ("0.1", "0.1"),
            ("1e-400", "1e-400"),
            ("1.5e400", "1.5e400"),
            ("0.00000000000000000001", "0.00000000000000000001"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(canonical), "{text}");
        }
        let digits = "1".repeat(65);
        for bad in [
            "",
            " 1",
            "1 ",
            "+1",
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1_000",
            "1,5",
            "0x1",
            "NaN",
            "inf",
            "Infinity",
            "--1",
            "1e401",
            "1e-401",
            "1e999999999999",
            "1e-999999999999",
            "10e9223372036854775807",
            "1e1e1",
            "1.2.3",
            "١",
            &digits,
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert!(Decimal::parse(&"1".repeat(64)).is_some());
        assert!(Decimal::parse(&format!("1{}", "0".repeat(127))).is_some());
        assert!(Decimal::parse(&format!("1{}", "0".repeat(128))).is_none(), "too long a text");
    }

    #[test]
    fn json_numbers_keep_their_digits() {
        let shown = |value| Decimal::read(&value).map(|decimal| decimal.to_string());
        assert_eq!(shown(json!(0.1)), Ok("0.1".to_owned()));
        assert_eq!(shown(json!(0.3)), Ok("0.3".to_owned()));
        assert_eq!(shown(json!(5e-324)), Ok("5e-324".to_owned()));
        assert_eq!(
            shown(json!(1.797_693_134_862_315_7e308)),
            Ok("1.7976931348623157e308".to_owned())
        );
        assert_eq!(shown(json!(-42)), Ok("-42".to_owned()));
        assert_eq!(shown(json!("9007199254740993.01")), Ok("9007199254740993.01".to_owned()));
        assert_eq!(shown(json!(true)), Err("a boolean".to_owned()));
        assert_eq!(shown(json!("12 EUR")), Err("\"12 EUR\"".to_owned()));
    }
}
