//! What an evaluation gives.

use serde::Serialize;
use serde_json::Value;

use crate::ENGINE;
use crate::decimal::Comparison;
use crate::tolerance::Tolerance;

/// Which tolerances an evaluation uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tolerances {
    /// Those of the mappings.
    Configured,
    /// The wider ones of a Tier-1 dispute.
    Dispute,
}

/// What a mapping, or all of them together, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Result {
    /// What was delivered is what was asked for, within the tolerance.
    Pass,
    /// It is not.
    Fail,
    /// The two could not be compared: something is missing, of another type or over a limit.
    Error,
}

/// The outcome of one evaluation: a pure function of rules, criteria, evidence and tolerances.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// `Pass` when every required mapping passed, `Fail` when one of them failed, else `Error`.
    pub result: Result,
    /// Which tolerances were used.
    pub tolerances: Tolerances,
    /// Version of the rules engine: another version may judge differently.
    pub engine: &'static str,
    /// One for each mapping, in the order of the rules.
    pub mappings: Vec<MappingOutcome>,
}

impl Outcome {
    pub(crate) fn new(tolerances: Tolerances, mappings: Vec<MappingOutcome>) -> Self {
        let any = |result| mappings.iter().any(|one| one.required && one.result == result);
        let result = match (any(Result::Fail), any(Result::Error)) {
            (true, _) => Result::Fail,
            (false, true) => Result::Error,
            (false, false) => Result::Pass,
        };
        Self { result, tolerances, engine: ENGINE, mappings }
    }

    /// Whether every required mapping passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.result == Result::Pass
    }
}

/// What one mapping came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingOutcome {
    /// Name of the mapping.
    pub name: String,
    /// Its value type, as the rules write it.
    #[serde(rename = "type")]
    pub value_type: &'static str,
    /// Whether the whole depends on it.
    pub required: bool,
    /// What it came to.
    pub result: Result,
    /// How the two were compared, as the rules write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<&'static str>,
    /// What was asked for, shortened. Shows the caller's data: do not log it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was delivered, shortened. Shows the caller's data: do not log it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The tolerance that was used, as the rules write it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub tolerance: Value,
    /// Why it did not pass, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a mapping holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Pass,
    /// With what did not hold, one sentence.
    Fail(&'static str),
    /// With why it could not be judged, one sentence.
    Error(String),
}

/// How one mapping was judged, before it is put under its name.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) judged: Judged,
    pub(crate) comparison: Option<&'static str>,
    pub(crate) expected: Option<String>,
    pub(crate) found: Option<String>,
    pub(crate) tolerance: Tolerance,
}

impl Finding {
    pub(crate) fn under(
        self,
        name: &str,
        value_type: &'static str,
        required: bool,
    ) -> MappingOutcome {
        let (result, reason) = match self.judged {
            Judged::Pass => (Result::Pass, None),
            Judged::Fail(reason) => (Result::Fail, Some(reason.to_owned())),
            Judged::Error(reason) => (Result::Error, Some(reason)),
        };
        MappingOutcome {
            name: name.to_owned(),
            value_type,
            required,
            result,
            comparison: self.comparison,
            expected: self.expected,
            found: self.found,
            tolerance: self.tolerance.to_json(),
            reason,
        }
    }
}

impl Comparison {
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, item)| *item == self).map_or("exact", |(name, _)| name)
    }
}
