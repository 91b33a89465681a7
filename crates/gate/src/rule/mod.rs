//! What a mapping compares, by value type.

mod datetime;
mod denomination;
mod plain;

use serde_json::Value;

use crate::decimal::Decimal;
use crate::expression::Expression;
use crate::fault::{Faults, Members};
use crate::outcome::{Finding, Judged};
use crate::pointer::Pointer;
use crate::show;
use crate::tolerance::{Band, Tolerance, Unit};
use plain::Matching;

/// What was asked for and what was delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Documents<'v> {
    pub(crate) criteria: &'v Value,
    pub(crate) evidence: &'v Value,
}

/// The rule of one mapping.
#[derive(Debug)]
pub(crate) enum Rule {
    Number(Sources, Band),
    Denomination(Sources, Band),
    Text(Sources, Matching),
    Boolean(Sources),
    DateTime(Sources, Band),
    Expression(Expression),
}

/// The value types, as the rules write them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueType {
    Number,
    Denomination,
    Text,
    Boolean,
    DateTime,
    Expression,
}

impl ValueType {
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("number", Self::Number),
        ("denomination", Self::Denomination),
        ("string", Self::Text),
        ("boolean", Self::Boolean),
        ("datetime", Self::DateTime),
        ("expression", Self::Expression),
    ];
}

impl Rule {
    /// Takes what a mapping of this value type says.
    pub(crate) fn take(
        of: ValueType,
        members: &mut Members<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        if let ValueType::Expression = of {
            return Expression::take(members, faults).map(Self::Expression);
        }
        let sources = Sources::take(members, faults);
        Some(match of {
            ValueType::Number => Self::Number(sources?, Band::take(members, Unit::Amount, faults)?),
            ValueType::Denomination => {
                Self::Denomination(sources?, Band::take(members, Unit::Amount, faults)?)
            }
            ValueType::DateTime => {
                Self::DateTime(sources?, Band::take(members, Unit::Seconds, faults)?)
            }
            ValueType::Text => Self::Text(sources?, Matching::take(members, faults)),
            ValueType::Boolean => Self::Boolean(sources?),
            ValueType::Expression => return None,
        })
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Number(..) => "number",
            Self::Denomination(..) => "denomination",
            Self::Text(..) => "string",
            Self::Boolean(..) => "boolean",
            Self::DateTime(..) => "datetime",
            Self::Expression(..) => "expression",
        }
    }

    /// `dispute` is the factor of a Tier-1 dispute.
    pub(crate) fn judge(&self, documents: Documents<'_>, dispute: Option<&Decimal>) -> Finding {
        match self {
            Self::Number(sources, band) => number(&sources.of(documents), band, dispute),
            Self::Denomination(sources, band) => {
                denomination::judge(&sources.of(documents), band, dispute)
            }
            Self::DateTime(sources, band) => datetime::judge(&sources.of(documents), band, dispute),
            Self::Text(sources, matching) => plain::text(&sources.of(documents), *matching),
            Self::Boolean(sources) => plain::boolean(&sources.of(documents)),
            Self::Expression(expression) => expression.judge(documents),
        }
    }
}

/// Where the two values of a mapping are.
#[derive(Debug)]
pub(crate) struct Sources {
    criteria: Pointer,
    evidence: Pointer,
}

impl Sources {
    fn take(members: &mut Members<'_>, faults: &mut Faults) -> Option<Self> {
        let read = |value: &Value| value.as_str().and_then(Pointer::parse);
        let criteria = members.required("criteria", Pointer::EXPECTED, faults, read);
        let evidence = members.required("evidence", Pointer::EXPECTED, faults, read);
        Some(Self { criteria: criteria?, evidence: evidence? })
    }

    fn of<'v>(&'v self, documents: Documents<'v>) -> Pair<'v> {
        Pair {
            sources: self,
            expected: self.criteria.of(documents.criteria),
            found: self.evidence.of(documents.evidence),
        }
    }
}

/// The two values of a mapping, if they are there.
struct Pair<'v> {
    sources: &'v Sources,
    expected: Option<&'v Value>,
    found: Option<&'v Value>,
}

impl Pair<'_> {
    /// Both values as `read` understands them; else which of them it does not, and why.
    fn read<T>(
        &self,
        wanted: &str,
        read: fn(&Value) -> Result<T, String>,
    ) -> Result<(T, T), String> {
        self.both(self.expected.map(read), wanted, self.found.map(read), wanted)
    }

    /// Two values that were read, each with what was wanted.
    fn both<E, F>(
        &self,
        expected: Option<Result<E, String>>,
        wanted: &str,
        found: Option<Result<F, String>>,
        wanted_found: &str,
    ) -> Result<(E, F), String> {
        let (criteria, evidence) = (&self.sources.criteria, &self.sources.evidence);
        let expected =
            expected.ok_or_else(|| format!("the criteria have nothing at {criteria}"))?;
        let found = found.ok_or_else(|| format!("the evidence has nothing at {evidence}"))?;
        let expected = expected.map_err(|what| {
            format!("the criteria at {criteria}: expected {wanted}, found {what}")
        })?;
        let found = found.map_err(|what| {
            format!("the evidence at {evidence}: expected {wanted_found}, found {what}")
        })?;
        Ok((expected, found))
    }

    /// A finding that shows the two values as they are.
    fn finding(&self, judged: Judged) -> Finding {
        Finding {
            judged,
            comparison: None,
            expected: self.expected.map(show::value),
            found: self.found.map(show::value),
            tolerance: Tolerance::None,
        }
    }

    /// The same, of a comparison with a tolerance. `distance` gives how far what was found lies
    /// above what was expected, and what was expected.
    fn within(
        &self,
        band: &Band,
        dispute: Option<&Decimal>,
        distance: Result<(Decimal, Decimal), Judged>,
    ) -> Finding {
        let tolerance = band.tolerance(dispute);
        let judged = match distance {
            Err(judged) => judged,
            Ok((above, expected)) => {
                let (lowest, highest) = tolerance.limits(&expected);
                if band.comparison.holds(&above, &lowest, &highest) {
                    Judged::Pass
                } else {
                    Judged::Fail("what was delivered is outside the tolerance")
                }
            }
        };
        let comparison = Some(band.comparison.name());
        Finding { comparison, tolerance, ..self.finding(judged) }
    }
}

fn number(pair: &Pair<'_>, band: &Band, dispute: Option<&Decimal>) -> Finding {
    let distance = pair
        .read(Decimal::EXPECTED, Decimal::read)
        .map(|(expected, found)| (found.minus(&expected), expected))
        .map_err(Judged::Error);
    pair.within(band, dispute, distance)
}
