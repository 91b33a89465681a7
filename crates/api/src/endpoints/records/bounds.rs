//! Deadline and limits: what a record may not exceed, and neither may what is delegated below it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use deed_chain::json;
use deed_store::records::Record;
use serde_json::{Map, Number, Value};

use super::view::time;
use crate::problem::Problem;

/// Most limits of a record.
const MOST_LIMITS: usize = 16;
/// Longest name of a limit, in characters.
const LONGEST_NAME: usize = 64;
/// Farthest deadline, in days.
const FARTHEST: i64 = 3_650;

/// Deadline and limits of one record.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) deadline: Option<DateTime<Utc>>,
    limits: Map<String, Value>,
}

impl Bounds {
    /// What a request asks for.
    ///
    /// # Errors
    /// 422 for a deadline that is too far or has passed, and for malformed limits.
    pub(super) fn new(
        deadline: Option<DateTime<Utc>>,
        limits: Option<BTreeMap<String, Number>>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        // To the millisecond, so that what is signed is what is stored.
        let deadline =
            deadline.map(|at| at.timestamp_millis()).map(DateTime::from_timestamp_millis);
        let deadline = deadline.map(Option::unwrap_or_default);
        check_open(deadline, now)?;
        if deadline.is_some_and(|at| at > now + TimeDelta::days(FARTHEST)) {
            return Err(invalid(format!("the deadline is more than {FARTHEST} days ahead")));
        }
        let limits = limits.unwrap_or_default();
        if limits.len() > MOST_LIMITS {
            return Err(invalid(format!("a record has at most {MOST_LIMITS} limits")));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
        for (name, value) in &limits {
            if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
                return Err(invalid(format!(
                    "a limit's name has 1 to {LONGEST_NAME} letters, digits and . _ : / -"
                )));
            }
            if number(value).is_none_or(|value| value < 0.0) {
                return Err(invalid(format!("the limit {name} is negative")));
            }
        }
        let limits = limits.into_iter().map(|(name, value)| (name, Value::Number(value)));
        Ok(Self { deadline, limits: limits.collect() })
    }

    /// The same below a parent: what is not given is inherited, what is given must not exceed it.
    ///
    /// # Errors
    /// 422 `limit-exceeded`, `deadline-exceeded`.
    pub(super) fn below(mut self, parent: Option<&Record>) -> Result<Self, Problem> {
        let Some(parent) = parent else { return Ok(self) };
        if let Some(latest) = parent.deadline {
            let deadline = *self.deadline.get_or_insert(latest);
            if deadline > latest {
                return Err(Problem::unprocessable(
                    "deadline-exceeded",
                    format!("the parent's deadline is {}", time(latest)),
                    "Send a deadline that is not later, or none to inherit it.",
                ));
            }
        }
        let inherited = parent.limits.as_ref().and_then(|text| serde_json::from_str(text).ok());
        let inherited: Map<String, Value> = inherited.unwrap_or_default();
        for (name, most) in inherited {
            let own = self.limits.entry(name.clone()).or_insert_with(|| most.clone());
            let (own, most) = (own.as_f64().unwrap_or(f64::MAX), most.as_f64().unwrap_or(0.0));
            if own > most {
                return Err(Problem::unprocessable(
                    "limit-exceeded",
                    format!("the parent's limit {name} is {most}, this one {own}"),
                    "Send a limit that is not higher, or leave it out to inherit it.",
                ));
            }
        }
        if self.limits.len() > MOST_LIMITS {
            return Err(invalid(format!(
                "with those that it inherits, the record has more than {MOST_LIMITS} limits"
            )));
        }
        Ok(self)
    }

    /// The limits as they are signed.
    pub(super) fn limits_value(&self) -> Value {
        Value::Object(self.limits.clone())
    }

    /// The limits as they are stored: canonical JSON, or nothing.
    pub(super) fn limits(&self) -> Option<String> {
        if self.limits.is_empty() {
            return None;
        }
        // Canonical JSON is UTF-8.
        String::from_utf8(json::canonical(&Value::Object(self.limits.clone()))).ok()
    }
}

/// Refuses a deadline that has passed.
///
/// # Errors
/// 422 `deadline-passed`.
pub(super) fn check_open(
    deadline: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    match deadline.filter(|deadline| *deadline <= now) {
        None => Ok(()),
        Some(passed) => Err(Problem::unprocessable(
            "deadline-passed",
            format!("the deadline {} has passed", time(passed)),
            "Send a deadline in the future; below a parent whose deadline has passed nothing can begin.",
        )),
    }
}

/// Exact: a request's numbers are doubles.
fn number(value: &Number) -> Option<f64> {
    value.as_f64().filter(|value| value.is_finite())
}

fn invalid(detail: String) -> Problem {
    Problem::unprocessable(
        "request-invalid",
        detail,
        "limits is an object of numbers from 0 on, for example {\"amount\": 100}; deadline an RFC 3339 time.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn limits(text: &str) -> Option<BTreeMap<String, Number>> {
        Some(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn limits_are_kept_in_canonical_form() {
        let bounds = Bounds::new(None, limits(r#"{"b":1.50,"a":2}"#), at(0)).unwrap();
        assert_eq!(bounds.limits().unwrap(), r#"{"a":2,"b":1.5}"#);
        assert_eq!(Bounds::new(None, limits("{}"), at(0)).unwrap().limits(), None);
        assert!(Bounds::new(None, limits(r#"{"a":-1}"#), at(0)).is_err());
        assert!(Bounds::new(None, limits(r#"{"a b":1}"#), at(0)).is_err());
    }

    #[test]
    fn a_deadline_lies_ahead_and_not_too_far() {
        for (deadline, fits) in [(10, false), (11, true), (86_400 * 3_650, true)] {
            assert_eq!(Bounds::new(Some(at(deadline)), None, at(10)).is_ok(), fits, "{deadline}");
        }
        assert!(Bounds::new(Some(at(86_400 * 3_651)), None, at(10)).is_err());
    }
}
