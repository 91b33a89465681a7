//! The one error of the store. The API tier maps each kind to one problem.

use deed_lifecycle::{Action, Denied};
use tokio_postgres::error::SqlState;

use crate::records::Record;

/// What the state machine refused, and on what.
#[derive(Debug)]
pub struct Refusal {
    /// The record as it was when the action was tried.
    pub record: Record,
    /// What was tried.
    pub action: Action,
    /// Why it was refused.
    pub denied: Denied,
}

/// Why a transaction did not happen, or may have happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be had, or it was lost before anything was committed. Retry.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The connection was lost, or the deadline passed, while the COMMIT was under way. It may
    /// or may not have happened; a retry with the same idempotency key settles it.
    #[error("the connection was lost during the commit: its outcome is unknown")]
    OutcomeUnknown,
    /// More appends wait for the database than the configured bound. Nothing was written.
    #[error("too many appends are waiting for the database")]
    Overloaded,
    /// The row that the operation is about does not exist, or not for this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A rule of the domain refuses the operation.
    #[error("{detail}")]
    Conflict {
        /// Stable kebab-case name of the rule.
        code: &'static str,
        /// What stood in the way, for people.
        detail: String,
    },
    /// The state machine refuses an action on a record.
    #[error("{} is refused in state {}", .0.action.as_str(), .0.record.status.as_str())]
    Refused(Box<Refusal>),
    /// The idempotency key was used before with another request.
    #[error("the idempotency key was used with another request")]
    IdempotencyMismatch,
    /// PostgreSQL refused a statement.
    #[error("database error {}: {}", state_of(.0), message_of(.0))]
    Database(#[source] tokio_postgres::Error),
    /// What the database holds is not what this program wrote.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The schema, the server or the configuration does not fit this program.
    #[error("{0}")]
    Unfit(String),
}

fn state_of(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("without code", SqlState::code)
}

fn message_of(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned())
}

impl Error {
    /// A refusal by a rule of the domain.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }

    /// Whether the transaction lost a race and may simply be run again (40001, 40P01).
    #[must_use]
    pub fn is_serialization(&self) -> bool {
        matches!(self.state(), Some(s) if *s == SqlState::T_R_SERIALIZATION_FAILURE
            || *s == SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// Whether a unique key refused the statement (23505).
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        self.state() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether a row that the statement refers to does not exist (23503).
    #[must_use]
    pub fn is_foreign_key_violation(&self) -> bool {
        self.state() == Some(&SqlState::FOREIGN_KEY_VIOLATION)
    }

    /// Whether the connection that gave this error must not be used again: it is lost, its server
    /// is going down or read-only after a demotion, or (0A000) its prepared plans no longer fit
    /// the schema.
    #[must_use]
    pub(crate) fn spoils_connection(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::OutcomeUnknown => true,
            Self::Database(e) => e.code().is_none_or(|s| *s == SqlState::FEATURE_NOT_SUPPORTED),
            _ => false,
        }
    }

    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Database(e) => e.code(),
            _ => None,
        }
    }
}

/// Whether the server itself said that the statement failed. A server that says it is going down
/// (57P0x) may have committed first: a commit that waits for a standby ends that way.
#[must_use]
pub(crate) fn is_verdict(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|s| !s.code().starts_with("08") && !s.code().starts_with("57P"))
}

impl From<tokio_postgres::Error> for Error {
    fn from(e: tokio_postgres::Error) -> Self {
        let lost = e.is_closed()
            || e.code().map_or_else(
                || std::error::Error::source(&e).is_some_and(|s| s.is::<std::io::Error>()),
                |s| s.code().starts_with("08") || s.code().starts_with("57P"),
            );
        // Read-only after a demotion, a lock that is held too long, no room: these pass.
        let passes = e.code().is_some_and(|s| {
            *s == SqlState::READ_ONLY_SQL_TRANSACTION
                || *s == SqlState::LOCK_NOT_AVAILABLE
                || s.code().starts_with("53")
        });
        if lost || passes { Self::Unavailable(message_of(&e)) } else { Self::Database(e) }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(e: deadpool_postgres::PoolError) -> Self {
        match e {
            deadpool_postgres::PoolError::Backend(e) => Self::Unavailable(message_of(&e)),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
