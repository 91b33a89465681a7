//! How far what was delivered may be from what was asked for.

use serde_json::{Value, json};

use crate::decimal::{Comparison, Decimal};
use crate::fault::{Faults, Members, named, one_of};
use crate::limits::{DISPUTE_FACTOR, GRACE_SECONDS};

/// A distance that is still accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tolerance {
    None,
    /// In the unit of the value itself.
    Absolute(Decimal),
    /// Of the magnitude of the expected value.
    Percent(Decimal),
    /// Seconds earlier and later than the expected instant.
    Grace {
        before: Decimal,
        after: Decimal,
    },
}

impl Tolerance {
    /// The lowest and the highest accepted distance from the expected value, exactly.
    pub(crate) fn limits(&self, expected: &Decimal) -> (Decimal, Decimal) {
        let both = |margin: Decimal| (margin.negated(), margin);
        match self {
            Self::None => (Decimal::zero(), Decimal::zero()),
            Self::Absolute(margin) => both(margin.clone()),
            Self::Percent(percent) => both(expected.abs().times(percent).times(&hundredth())),
            Self::Grace { before, after } => (before.negated(), after.clone()),
        }
    }

    fn times(&self, factor: &Decimal) -> Self {
        match self {
            Self::None => Self::None,
            Self::Absolute(margin) => Self::Absolute(margin.times(factor)),
            Self::Percent(percent) => Self::Percent(percent.times(factor)),
            Self::Grace { before, after } => {
                Self::Grace { before: before.times(factor), after: after.times(factor) }
            }
        }
    }

    /// Whether it accepts, whatever is expected, everything that `other` accepts.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::None) => true,
            (Self::Absolute(wide), Self::Absolute(narrow))
            | (Self::Percent(wide), Self::Percent(narrow)) => wide >= narrow,
            (
                Self::Grace { before: wide, after: wide_after },
                Self::Grace { before: narrow, after: narrow_after },
            ) => wide >= narrow && wide_after >= narrow_after,
            _ => false,
        }
    }

    /// As the rules write it; `null` for none.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Absolute(margin) => json!({ "absolute": margin.to_string() }),
            Self::Percent(percent) => json!({ "percent": percent.to_string() }),
            Self::Grace { before, after } => json!({
                "graceSecondsBefore": before.to_string(), "graceSecondsAfter": after.to_string(),
            }),
        }
    }
}

fn hundredth() -> Decimal {
    Decimal::parse("0.01").unwrap_or_else(Decimal::zero)
}

/// A comparison with its tolerance, and the wider one of a dispute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub(crate) comparison: Comparison,
    tolerance: Tolerance,
    dispute: Option<Tolerance>,
}

/// What kind of distance a value type knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Amount,
    Seconds,
}

impl Band {
    /// Takes `comparison`, `tolerance` and `disputeTolerance`.
    pub(crate) fn take(members: &mut Members<'_>, unit: Unit, faults: &mut Faults) -> Option<Self> {
        let expected = one_of(&Comparison::NAMES);
        let read = |value| named(&Comparison::NAMES, value);
        let before = faults.is_empty();
        let comparison = members.optional("comparison", &expected, faults, read);
        let comparison = comparison.unwrap_or(Comparison::Exact);
        let tolerance = take_tolerance(members, "tolerance", unit, comparison, faults);
        let dispute = take_tolerance(members, "disputeTolerance", unit, comparison, faults);
        let tolerance = tolerance.unwrap_or(Tolerance::None);
        if before && faults.is_empty() && dispute.as_ref().is_some_and(|d| !d.includes(&tolerance))
        {
            let path = members.path("disputeTolerance");
            let expected =
                "a tolerance of the same kind that is at least as wide as the mapping's own";
            faults.add(&path, expected, "a narrower one, or one of another kind");
            return None;
        }
        Some(Self { comparison, tolerance, dispute })
    }

    /// The tolerance in force: in a dispute the mapping's own wider one, else the usual one times `factor`.
    pub(crate) fn tolerance(&self, dispute_factor: Option<&Decimal>) -> Tolerance {
        match (dispute_factor, &self.dispute) {
            (None, _) => self.tolerance.clone(),
            (Some(_), Some(dispute)) => dispute.clone(),
            (Some(factor), None) => self.tolerance.times(factor),
        }
    }
}

fn take_tolerance(
    members: &mut Members<'_>,
    name: &'static str,
    unit: Unit,
    comparison: Comparison,
    faults: &mut Faults,
) -> Option<Tolerance> {
    let value = members.take(name)?;
    let path = members.path(name);
    let mut inner = Members::of(value, &path, faults)?;
    let tolerance = match unit {
        Unit::Amount => take_margin(&mut inner, faults),
        Unit::Seconds => take_grace(&mut inner, comparison, faults),
    };
    inner.finish(faults);
    tolerance
}

fn take_margin(members: &mut Members<'_>, faults: &mut Faults) -> Option<Tolerance> {
    let expected = "a number that is not negative, at most 64 significant digits";
    let read = |value| Decimal::read(value).ok().filter(|number| !number.is_negative());
    let absolute = members.optional("absolute", expected, faults, read);
    let percent = members.optional("percent", expected, faults, read);
    match (absolute, percent) {
        (Some(absolute), None) => Some(Tolerance::Absolute(absolute)),
        (None, Some(percent)) => Some(Tolerance::Percent(percent)),
        (Some(_), Some(_)) => {
            faults.add(&members.path("percent"), "either absolute or percent", "both");
            None
        }
        // Nothing, or something that is a fault by now.
        (None, None) => None,
    }
}

fn take_grace(
    members: &mut Members<'_>,
    comparison: Comparison,
    faults: &mut Faults,
) -> Option<Tolerance> {
    let expected = "whole seconds from 0 to 31622400";
    let read = |value: &Value| {
        let seconds = value.as_i64().filter(|seconds| (0..=GRACE_SECONDS).contains(seconds))?;
        Some(Decimal::from(seconds.unsigned_abs()))
    };
    let before = members.optional("graceSecondsBefore", expected, faults, read);
    let after = members.optional("graceSecondsAfter", expected, faults, read);
    let idle = match comparison {
        Comparison::AtMost if before.is_some() => Some("graceSecondsBefore"),
        Comparison::AtLeast if after.is_some() => Some("graceSecondsAfter"),
        _ => None,
    };
    if let Some(idle) = idle {
        let expected =
            "only the grace that the comparison uses: After with atMost, Before with atLeast";
        faults.add(&members.path(idle), expected, idle);
    }
    let or_zero = |seconds: Option<Decimal>| seconds.unwrap_or_else(Decimal::zero);
    Some(Tolerance::Grace { before: or_zero(before), after: or_zero(after) })
}

/// Takes the rules' own `disputeTolerance`: by what every tolerance is multiplied in a dispute.
pub(crate) fn take_factor(members: &mut Members<'_>, faults: &mut Faults) -> Option<Decimal> {
    let value = members.take("disputeTolerance")?;
    let path = members.path("disputeTolerance");
    let mut inner = Members::of(value, &path, faults)?;
    let bounds = Decimal::from(1)..=Decimal::from(u64::from(DISPUTE_FACTOR));
    let expected = "a number from 1 to 1000";
    let factor = inner.required("factor", expected, faults, |value| {
        Decimal::read(value).ok().filter(|factor| bounds.contains(factor))
    });
    inner.finish(faults);
    factor
}
