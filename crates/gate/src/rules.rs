//! The rules of a Type: parsed once, applied to many records.

use std::collections::HashSet;

use serde_json::Value;

use crate::decimal::Decimal;
use crate::fault::{Fault, Faults, Members, one_of};
use crate::limits::{MAPPINGS, NAME_CHARS};
use crate::outcome::{MappingOutcome, Outcome, Tolerances};
use crate::rule::{Documents, Rule, ValueType};
use crate::show;
use crate::tolerance::take_factor;

/// The rules of a Type, ready to be applied. `Send + Sync`.
#[derive(Debug)]
pub struct Rules {
    mappings: Vec<Mapping>,
    /// By what tolerances are multiplied in a dispute; 1 or more.
    dispute_factor: Decimal,
}

/// One mapping from a criterion to the evidence for it.
#[derive(Debug)]
struct Mapping {
    name: String,
    required: bool,
    rule: Rule,
}

impl Rules {
    /// Reads a `rulesConfig`, which has passed the strict JSON parser. Takes time in proportion to its
    /// size, which the caller bounds, and to at most [`MAPPINGS`] mappings.
    ///
    /// # Errors
    /// What is wrong with it: at least one fault, at most [`crate::limits::FAULTS`].
    pub fn parse(config: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let rules = Self::take(config, &mut faults);
        faults.into_result(rules)
    }

    fn take(config: &Value, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(config, "", faults)?;
        let expected = "an array of 1 to 64 mappings";
        let items = members.required("mappings", expected, faults, |value| {
            value.as_array().filter(|items| (1..=MAPPINGS).contains(&items.len()))
        });
        let dispute_factor = take_factor(&mut members, faults).unwrap_or_else(|| Decimal::from(1));
        members.finish(faults);
        let items = items?;
        let mut mappings = Vec::with_capacity(items.len());
        let mut names = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("/mappings/{index}");
            let Some(mapping) = Mapping::take(item, &path, faults) else { continue };
            if !names.insert(mapping.name.clone()) {
                let expected = "a name that no other mapping has";
                faults.add(
                    &format!("{path}/name"),
                    expected,
                    show::value(&mapping.name.clone().into()),
                );
            }
            mappings.push(mapping);
        }
        if faults.is_empty() && mappings.iter().all(|mapping| !mapping.required) {
            faults.add("/mappings", "at least one required mapping", "only optional ones");
        }
        Some(Self { mappings, dispute_factor })
    }

    /// Applies the rules. The same input gives the same outcome, on any machine, at any time.
    ///
    /// `criteria` and `evidence` have passed the strict JSON parser. The cost is bounded by
    /// [`crate::limits`], not by the values.
    #[must_use]
    pub fn evaluate(&self, criteria: &Value, evidence: &Value, tolerances: Tolerances) -> Outcome {
        let documents = Documents { criteria, evidence };
        let dispute = match tolerances {
            Tolerances::Configured => None,
            Tolerances::Dispute => Some(&self.dispute_factor),
        };
        let judged = self.mappings.iter().map(|mapping| mapping.judge(documents, dispute));
        Outcome::new(tolerances, judged.collect())
    }
}

impl Mapping {
    fn take(value: &Value, path: &str, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, path, faults)?;
        let name = members.required("name", "a text of 1 to 100 characters", faults, |value| {
            value.as_str().filter(|text| (1..=NAME_CHARS).contains(&text.chars().count()))
        });
        let required = members.optional("required", "true or false", faults, Value::as_bool);
        let expected = one_of(&ValueType::NAMES);
        let value_type = members.required("type", &expected, faults, |value| {
            crate::fault::named(&ValueType::NAMES, value)
        });
        // What else may be there depends on the type.
        let rule = Rule::take(value_type?, &mut members, faults);
        members.finish(faults);
        Some(Self { name: name?.to_owned(), required: required.unwrap_or(true), rule: rule? })
    }

    fn judge(&self, documents: Documents<'_>, dispute: Option<&Decimal>) -> MappingOutcome {
        let finding = self.rule.judge(documents, dispute);
        finding.under(&self.name, self.rule.type_name(), self.required)
    }
}
