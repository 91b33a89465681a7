//! The account that PostgreSQL runs as: ourselves, or for root an unprivileged one.

use std::env;
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Uid, User};
use tokio::process::Command;

use crate::error::Error;

/// Accounts that root tries, in this order, when `DEED_POSTGRES_USER` is unset.
const ACCOUNTS: [&str; 3] = ["deed", "postgres", "nobody"];

/// Variables that PostgreSQL's programs may need; all others are withheld so that `PGPORT`,
/// `PGDATA` and their kin cannot change what is started.
const KEPT_VARIABLES: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Who runs PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    switch_to: Option<Account>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl RunAs {
    /// The present user; for root, which PostgreSQL refuses, the account of `DEED_POSTGRES_USER`,
    /// else `deed`, `postgres` or `nobody`, whichever exists first.
    ///
    /// # Errors
    /// [`Error::Account`] when root names an account that is unknown or root itself, or has none.
    pub fn detect() -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self { switch_to: None });
        }
        if let Ok(name) = env::var("DEED_POSTGRES_USER") {
            return Self::account(&name)?.ok_or_else(|| Error::Account {
                reason: format!("DEED_POSTGRES_USER names {name}, which is unknown here"),
            });
        }
        for name in ACCOUNTS {
            if let Some(found) = Self::account(name)? {
                return Ok(found);
            }
        }
        Err(Error::Account { reason: format!("none of {} exists here", ACCOUNTS.join(", ")) })
    }

    fn account(name: &str) -> Result<Option<Self>, Error> {
        let user = User::from_name(name).map_err(|e| Error::Io {
            action: format!("looking up the account {name}"),
            source: e.into(),
        })?;
        let Some(user) = user else { return Ok(None) };
        if user.uid.is_root() {
            return Err(Error::Account { reason: format!("{name} is root too") });
        }
        let account = Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() };
        Ok(Some(Self { switch_to: Some(account) }))
    }

    /// User and group id that files of PostgreSQL must be given to; none when they are ours anyway.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        self.switch_to.as_ref().map(|account| (account.uid, account.gid))
    }

    /// The user id that PostgreSQL runs under.
    pub(crate) fn uid(&self) -> u32 {
        self.switch_to.as_ref().map_or_else(|| Uid::effective().as_raw(), |account| account.uid)
    }

    /// The account's name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.switch_to {
            Some(account) => account.name.clone(),
            None => User::from_uid(Uid::effective())
                .ok()
                .flatten()
                .map_or_else(|| Uid::effective().to_string(), |user| user.name),
        }
    }

    /// A command of PostgreSQL under this account: few variables, no input, a process group of its
    /// own (Ctrl-C at the terminal must reach only us), working folder `/`.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command.process_group(0);
        for name in KEPT_VARIABLES {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(account) = &self.switch_to {
            // std clears the supplementary groups when root sets a user id.
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// The same user as ourselves, root included: for asking a program its version.
    pub(crate) fn ourselves() -> Self {
        Self { switch_to: None }
    }
}
