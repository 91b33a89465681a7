//! What is known about one variable.

use std::fmt;

use super::kind::Kind;

/// An environment variable that Deed reads.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) concern: Concern,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// Another default in `deed up`, where it serves one person and not a deployment.
    pub(crate) default_in_up: Option<Default>,
    /// Processes that read it. When it has no default, they do not start without it.
    pub(crate) used_by: &'static [Process],
    pub(crate) about: &'static str,
}

/// What holds while a variable is not set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    /// Nothing: the processes that use it do not start.
    Required,
    /// This value.
    Value(&'static str),
    /// What this says.
    Otherwise(&'static str),
}

/// What reads configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Api,
    Worker,
    Migrate,
    /// `deed keys platform`.
    Keys,
    Audit,
    Up,
}

/// What a variable is about; a section of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    Database,
    Identity,
    Api,
    Http,
    Worker,
    Webhooks,
    Anchors,
    Log,
    Embedded,
}

impl Variable {
    /// Whether `process` reads it; `None` stands for all of them.
    pub(crate) fn is_used_by(&self, process: Option<Process>) -> bool {
        process.is_none_or(|process| self.used_by.contains(&process))
    }

    /// What holds for `process` while it is not set.
    pub(crate) fn default_for(&self, process: Option<Process>) -> Default {
        match self.default_in_up {
            Some(default) if process == Some(Process::Up) => default,
            _ => self.default,
        }
    }

    /// The variable that may name a file with the value instead, which only secrets have.
    pub(crate) fn file_variable(&self) -> Option<String> {
        self.kind.is_secret().then(|| format!("{}_FILE", self.name))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Migrate => "migrate",
            Self::Keys => "keys platform",
            Self::Audit => "audit",
            Self::Up => "up",
        })
    }
}

impl Concern {
    /// All, in the order of the documentation.
    pub(crate) const ALL: [Self; 9] = [
        Self::Database,
        Self::Identity,
        Self::Api,
        Self::Http,
        Self::Worker,
        Self::Webhooks,
        Self::Anchors,
        Self::Log,
        Self::Embedded,
    ];

    /// Title and introduction of its section.
    pub(crate) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Database => (
                "Database",
                "PostgreSQL 17 or later. `deed up` brings its own and sets the connection itself.",
            ),
            Self::Identity => (
                "Identity and secrets",
                "`deed keys generate` makes the two secrets. `deed up` makes and keeps its own.",
            ),
            Self::Api => ("API", "What one API process serves."),
            Self::Http => (
                "HTTP server",
                "Bounds on what one client can take. They hold for API and worker alike.",
            ),
            Self::Worker => ("Worker", "The port on which a worker process reports its health."),
            Self::Webhooks => (
                "Webhooks",
                "Where deliveries may go; [operations/webhooks.md](operations/webhooks.md) tells more.",
            ),
            Self::Anchors => (
                "Anchors",
                "Where copies of the checkpoints are kept outside the database. A folder and a bucket \
                 may be used together.",
            ),
            Self::Log => ("Log", "Logs go to standard error, one event a line."),
            Self::Embedded => ("Embedded PostgreSQL", "Read by `deed up` only."),
        }
    }
}
