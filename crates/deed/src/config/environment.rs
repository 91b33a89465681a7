//! The environment of the process, and the files that it names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::table::{FOREIGN, PREFIXES, TABLE};
use super::variable::{Process, Variable};

/// Largest file that may hold a secret, in bytes.
const MAX_SECRET_FILE: u64 = 64 * 1024;

/// Environment variables by name.
pub(crate) struct Environment(BTreeMap<String, OsString>);

/// A value as it was found.
pub(super) struct Found {
    pub(super) text: String,
    /// The file it came from, if not the environment itself.
    pub(super) file: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// Names that look like ours and are not.
    pub(super) fn unknown(&self) -> Vec<Fault> {
        let is_known = |name: &str| {
            let is_file = |v: &&Variable| v.file_variable().is_some_and(|file| file == name);
            FOREIGN.contains(&name) || TABLE.iter().any(|v| v.name == name || is_file(v))
        };
        self.0
            .iter()
            .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .filter(|(name, value)| !is_known(name) && !is_service_link(name, value))
            .map(|(name, _)| Fault::unknown(name))
            .collect()
    }

    /// The value of `variable`, or of the file that stands for it.
    pub(super) fn find(&self, variable: &Variable) -> Result<Option<Found>, Fault> {
        let direct = self.text(variable.name)?;
        let Some(file) = variable.file_variable() else {
            return Ok(direct.map(|text| Found { text, file: None }));
        };
        match (direct, self.text(&file)?) {
            (Some(_), Some(_)) => Err(Fault::both(variable, &file)),
            (Some(text), None) => Ok(Some(Found { text, file: None })),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                let text = read_secret(&path).map_err(|e| Fault::unreadable(&file, &path, &e))?;
                Ok(Some(Found { text, file: Some(path) }))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether `variable` is set in any way.
    pub(crate) fn has(&self, variable: &Variable) -> bool {
        self.0.contains_key(variable.name)
            || variable.file_variable().is_some_and(|file| self.0.contains_key(&file))
    }

    /// Variables of ours that are set and that `process` does not read.
    pub(crate) fn ignored_by(&self, process: Process) -> impl Iterator<Item = &'static str> {
        let ignored = TABLE.iter().filter(move |variable| !variable.is_used_by(Some(process)));
        ignored.filter(|variable| self.has(variable)).map(|variable| variable.name)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                value.to_str().map(|v| Some(v.to_owned())).ok_or_else(|| Fault::not_unicode(name))
            }
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

/// Kubernetes gives every container the addresses of all services in its namespace: those of a
/// service named `api` are `API_SERVICE_HOST`, `API_PORT=tcp://...`, `API_PORT_80_TCP_ADDR`.
fn is_service_link(name: &str, value: &OsString) -> bool {
    let is_address = || {
        value
            .to_str()
            .is_some_and(|v| ["tcp://", "udp://", "sctp://"].iter().any(|p| v.starts_with(p)))
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || ["_TCP_ADDR", "_TCP_PORT", "_TCP_PROTO", "_UDP_ADDR", "_UDP_PORT", "_UDP_PROTO"]
            .iter()
            .any(|end| name.ends_with(end))
        || is_address()
}

/// The content of a secret file without its last line end, which editors add unasked.
fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    let read = file.take(MAX_SECRET_FILE + 1).read_to_string(&mut text);
    read.map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        _ => e.to_string(),
    })?;
    if text.len() as u64 > MAX_SECRET_FILE {
        return Err(format!("it is larger than {MAX_SECRET_FILE} bytes"));
    }
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
}
