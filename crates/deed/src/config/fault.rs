//! What is wrong with the configuration. A message never holds the value of a secret.

use std::fmt;
use std::path::Path;

use super::table::TABLE;
use super::variable::{Process, Variable};

/// One thing that is wrong, as a sentence that names the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(String);

/// Everything that is wrong: people want to mend it in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Fault {
    pub(super) fn missing(variable: &Variable, process: Process) -> Self {
        let name = variable.name;
        let mut text = format!(
            "{name} is not set, and `deed {process}` does not start without it. It must be {}.",
            variable.kind.accepts()
        );
        if let Some(file) = variable.file_variable() {
            text.push_str(&format!(" {file} may name a file that holds it."));
        }
        Self(text)
    }

    pub(super) fn not_accepted(variable: &Variable, value: &str) -> Self {
        let (name, accepts) = (variable.name, variable.kind.accepts());
        if variable.kind.is_secret() {
            return Self(format!(
                "{name} has a value (not shown) that is not accepted: it must be {accepts}."
            ));
        }
        Self(format!("{name} is {value:?}, which is not accepted: it must be {accepts}."))
    }

    pub(super) fn not_unicode(name: &str) -> Self {
        Self(format!("{name} is not valid UTF-8."))
    }

    pub(super) fn both(variable: &Variable, file: &str) -> Self {
        let name = variable.name;
        Self(format!("{name} and {file} are both set: unset one, or it is unclear which holds."))
    }

    pub(super) fn unreadable(file: &str, path: &Path, reason: &str) -> Self {
        Self(format!("{file} names {}, which cannot be used: {reason}.", path.display()))
    }

    pub(super) fn unknown(name: &str) -> Self {
        let mut known: Vec<String> = TABLE.iter().map(|v| v.name.to_owned()).collect();
        known.extend(TABLE.iter().filter_map(|v| v.file_variable()));
        let nearest = known.into_iter().min_by_key(|known| strsim::levenshtein(known, name));
        let nearest = nearest.unwrap_or_default();
        Self(format!(
            "{name} is not a setting of Deed. The nearest one is {nearest}; unset {name} if it \
             belongs to another program. docs/configuration.md lists all."
        ))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
