//! What is wrong with rules, and the reader that says it.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::limits::FAULTS;
use crate::show::{self, shorten};

/// One way in which rules are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the place in the rules; empty for the rules themselves.
    pub path: String,
    /// What is wanted there, in words.
    pub expected: String,
    /// What was there, shortened.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "the rules" } else { &self.path };
        write!(f, "{place}: expected {}, found {}", self.expected, self.found)
    }
}

/// Collects faults, up to [`FAULTS`].
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, path: &str, expected: &str, found: impl Into<String>) {
        if self.0.len() < FAULTS {
            let (path, expected, found) = (shorten(path), expected.to_owned(), found.into());
            self.0.push(Fault { path, expected, found });
        }
    }

    pub(crate) fn into_result<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An object of the rules whose members are taken one by one; what is left over at the end is a fault.
pub(crate) struct Members<'v> {
    path: String,
    members: &'v Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'v> Members<'v> {
    pub(crate) fn of(value: &'v Value, path: &str, faults: &mut Faults) -> Option<Self> {
        if let Value::Object(members) = value {
            return Some(Self { path: path.to_owned(), members, known: Vec::new() });
        }
        faults.add(path, "an object", show::kind(value));
        None
    }

    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.known.push(name);
        self.members.get(name)
    }

    /// The member as `read` understands it; a fault when it is there and `read` does not.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let read = read(value);
        if read.is_none() {
            faults.add(&self.path(name), expected, show::value(value));
        }
        read
    }

    /// The same, and a fault when it is not there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Option<T> {
        if !self.members.contains_key(name) {
            self.known.push(name);
            faults.add(&self.path(name), expected, "nothing");
            return None;
        }
        self.optional(name, expected, faults, read)
    }

    /// Names what nobody took.
    pub(crate) fn finish(self, faults: &mut Faults) {
        for (name, value) in self.members {
            if !self.known.contains(&name.as_str()) {
                let path = self.path(&name.replace('~', "~0").replace('/', "~1"));
                let expected = format!("one of the members {}", self.known.join(", "));
                faults.add(&path, &expected, show::value(value));
            }
        }
    }
}

/// The entry of a table of names.
pub(crate) fn named<T: Copy>(table: &[(&'static str, T)], value: &Value) -> Option<T> {
    let text = value.as_str()?;
    table.iter().find(|(name, _)| *name == text).map(|(_, item)| *item)
}

/// `one of a, b, c`.
pub(crate) fn one_of<T>(table: &[(&'static str, T)]) -> String {
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(", "))
}
