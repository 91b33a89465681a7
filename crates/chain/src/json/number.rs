//! Does a number survive an IEEE 754 double?

/// Significant digits that any double in [`SAFE_EXPONENT`] can carry (`DBL_DIG`): two decimals
/// this short never share a double, so the shortest form of the double is the number itself.
const SAFE_DIGITS: usize = 15;

/// Decimal exponents within which [`SAFE_DIGITS`] holds with room to spare (subnormals and
/// overflow lie beyond).
const SAFE_EXPONENT: std::ops::RangeInclusive<i64> = -290..=290;

/// Whether the decimal value of `token`, a JSON number, equals that of the shortest form of the
/// nearest double (the digits that RFC 8785 writes).
pub(super) fn survives(token: &str) -> bool {
    if token.len() <= SAFE_DIGITS && token.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let Some(decimal) = Decimal::of(token) else {
        // Not a number at all: the parser proper says so.
        return true;
    };
    if decimal.is_zero()
        || (decimal.digits.len() <= SAFE_DIGITS && SAFE_EXPONENT.contains(&decimal.exponent))
    {
        return true;
    }
    match token.parse::<f64>() {
        Ok(double) if double.is_finite() => {
            // Where two shortest forms are equally near, only this one is what RFC 8785 writes.
            let mut buffer = ryu_js::Buffer::new();
            Decimal::of(buffer.format_finite(double)).is_some_and(|short| short == decimal)
        }
        _ => false,
    }
}

/// The magnitude 0.d1d2d3... times 10^exponent, without leading or trailing zero digits. The sign
/// is left out: a double always keeps it (and -0 counts as 0).
#[derive(PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn of(token: &str) -> Option<Self> {
        let token = token.strip_prefix('-').unwrap_or(token);
        let (mantissa, power) = match token.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (token, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leading = digits.iter().take_while(|d| **d == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        let exponent = if digits.is_empty() { 0 } else { power.saturating_add(point) };
        Some(Self { digits, exponent })
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }
}

/// Reads an exponent, saturating: one that does not fit overflows or underflows any double.
fn parse_power(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::survives;

    #[test]
    fn judged_by_decimal_value() {
        let good = "0 -0 0.0 -0.0e5 0e999999999999999999999 1 1.0 1e2 100 -1.5 9007199254740992 \
             -9007199254740992 0.1 1E+2 1e-7 1e21 1e22 5e-324 1.7976931348623157e308 \
             333333333.3333333 0.000001 123456789012345 1000000000000000000000000000000 \
             10e307 0.00000000000000000000000001 2.2250738585072014e-308 1424953923781206.2 \
             12345678901234567000";
        for token in good.split(' ') {
            assert!(survives(token), "{token}");
        }
        let bad = "9007199254740993 -9007199254740993 1e400 -1e400 1e-400 1e99999999999999999999 \
             1e-99999999999999999999 0.1000000000000000055511 1152921504606846976 \
             18446744073709551615 1.00000000000000001 3.141592653589793238 2e-324 \
             1.7976931348623159e308 0.30000000000000001 4.9406564584124654e-324 \
             1424953923781206.3";
        for token in bad.split(' ') {
            assert!(!survives(token), "{token}");
        }
    }
}
