//! A folder of PostgreSQL programs that is known to run.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::run_as::RunAs;

/// PostgreSQL's programs, seen to run under the account that will run them.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
    version: String,
    major: u32,
    run_as: RunAs,
}

impl Binaries {
    /// Runs `postgres --version` in `folder` as `run_as`; the error is text for a message.
    pub(crate) async fn probe(folder: &Path, run_as: &RunAs) -> Result<Self, String> {
        for program in ["postgres", "initdb"] {
            if !folder.join(program).is_file() {
                return Err(format!("there is no {program} in {}", folder.display()));
            }
        }
        let program = folder.join("postgres");
        let mut command = run_as.command(&program);
        command.arg("--version").stderr(Stdio::piped()).kill_on_drop(true);
        let output = command.output().await.map_err(|e| format!("{}: {e}", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} --version failed: {}", program.display(), said.trim()));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let (version, major) = parse_version(&said)
            .ok_or_else(|| format!("{} --version said {:?}", program.display(), said.trim()))?;
        Ok(Self { folder: folder.to_owned(), version, major, run_as: run_as.clone() })
    }

    /// The full path of one program, for example `psql`; it need not exist.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version as PostgreSQL says it, for example `18.6`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version, for example 18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The account that runs the programs.
    #[must_use]
    pub fn run_as(&self) -> &RunAs {
        &self.run_as
    }
}

/// Reads `postgres (PostgreSQL) 18.6 (Debian ...)`; a beta says `19beta1`.
fn parse_version(said: &str) -> Option<(String, u32)> {
    let version = said.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((version.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        let read = |text| parse_version(text).map(|(_, major)| major);
        assert_eq!(read("postgres (PostgreSQL) 18.6\n"), Some(18));
        assert_eq!(read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(read("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(read("something else 18.6\n"), None);
        assert_eq!(read("postgres (PostgreSQL) \n"), None);
    }
}
