//! The settings in force, and where each came from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use deed_api::Secret;
use ipnet::IpNet;

use super::environment::Environment;
use super::fault::{Fault, Faults};
use super::kind::Value;
use super::table::TABLE;
use super::variable::{Default, Process, Variable};

/// One variable and what it is set to.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) variable: &'static Variable,
    pub(crate) origin: Origin,
    /// As it was written; absent for a secret and for what is not set.
    pub(crate) shown: Option<String>,
    value: Option<Value>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    Environment,
    File(PathBuf),
    Unset,
}

/// The settings of one process.
#[derive(Debug, Clone)]
pub(crate) struct Settings(Vec<Setting>);

impl Settings {
    /// Reads what `process` uses.
    ///
    /// # Errors
    /// All that is wrong: values that are not accepted, unknown names, what is missing.
    pub(crate) fn read(environment: &Environment, process: Process) -> Result<Self, Faults> {
        let (settings, mut faults) = Self::survey(environment, Some(process));
        for setting in &settings.0 {
            let default = setting.variable.default_for(Some(process));
            let required = matches!(default, Default::Required);
            // One that was found and refused is among the faults already.
            if setting.origin == Origin::Unset && required && !environment.has(setting.variable) {
                faults.push(Fault::missing(setting.variable, process));
            }
        }
        if faults.is_empty() { Ok(settings) } else { Err(Faults(faults)) }
    }

    /// Reads what `process` uses, or every variable there is, and lists what is wrong.
    pub(crate) fn survey(
        environment: &Environment,
        process: Option<Process>,
    ) -> (Self, Vec<Fault>) {
        let mut faults = environment.unknown();
        let used = TABLE.iter().copied().filter(|variable| variable.is_used_by(process));
        let settings = used
            .map(|variable| {
                read_one(environment, variable, process).unwrap_or_else(|fault| {
                    faults.push(fault);
                    Setting { variable, origin: Origin::Unset, shown: None, value: None }
                })
            })
            .collect();
        (Self(settings), faults)
    }

    /// All of them, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// The setting of `variable`.
    pub(crate) fn get(&self, variable: &Variable) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.variable.name == variable.name)
    }

    fn value(&self, variable: &Variable) -> Option<&Value> {
        self.get(variable).and_then(|setting| setting.value.as_ref())
    }

    /// A number, or a size in bytes.
    pub(super) fn count(&self, variable: &Variable) -> usize {
        match self.value(variable) {
            Some(Value::Count(count)) => *count,
            _ => not_read(variable),
        }
    }

    pub(super) fn duration(&self, variable: &Variable) -> Duration {
        match self.value(variable) {
            Some(Value::Duration(duration)) => *duration,
            _ => not_read(variable),
        }
    }

    pub(super) fn address(&self, variable: &Variable) -> SocketAddr {
        match self.value(variable) {
            Some(Value::Address(address)) => *address,
            _ => not_read(variable),
        }
    }

    /// None, when it is not set.
    pub(super) fn addresses(&self, variable: &Variable) -> Vec<SocketAddr> {
        match self.value(variable) {
            Some(Value::Addresses(addresses)) => addresses.clone(),
            _ => Vec::new(),
        }
    }

    /// None, when it is not set.
    pub(super) fn networks(&self, variable: &Variable) -> Vec<IpNet> {
        match self.value(variable) {
            Some(Value::Networks(networks)) => networks.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn secret(&self, variable: &Variable) -> Secret {
        match self.value(variable) {
            Some(Value::Secret(secret)) => secret.clone(),
            _ => not_read(variable),
        }
    }

    pub(super) fn optional_secret(&self, variable: &Variable) -> Option<Secret> {
        match self.value(variable) {
            Some(Value::Secret(secret)) => Some(secret.clone()),
            _ => None,
        }
    }

    pub(super) fn path(&self, variable: &Variable) -> Option<PathBuf> {
        match self.value(variable) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn text(&self, variable: &Variable) -> Option<&str> {
        match self.value(variable) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A process asked for what it does not use: the table and its sections disagree, which the
/// tests of both would have shown.
fn not_read(variable: &Variable) -> ! {
    unreachable!("{} has no value of its kind in this process", variable.name)
}

fn read_one(
    environment: &Environment,
    variable: &'static Variable,
    process: Option<Process>,
) -> Result<Setting, Fault> {
    let (text, origin) = match environment.find(variable)? {
        Some(found) => {
            let origin = found.file.map_or(Origin::Environment, Origin::File);
            (found.text, origin)
        }
        None => match variable.default_for(process) {
            Default::Value(text) => (text.to_owned(), Origin::Default),
            Default::Required | Default::Otherwise(_) => {
                return Ok(Setting { variable, origin: Origin::Unset, shown: None, value: None });
            }
        },
    };
    let value = variable.kind.read(&text);
    let value = Some(value.ok_or_else(|| Fault::not_accepted(variable, &text))?);
    let shown = (!variable.kind.is_secret()).then_some(text);
    Ok(Setting { variable, origin, shown, value })
}
