//! What an audit finds.

use deed_chain::verify::Failure;
use serde::Serialize;
use uuid::Uuid;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code: a [`Kind`], or a reason of [`deed_chain::verify::Reason`].
    pub kind: &'static str,
    /// Whether it is a fault, or something to know.
    pub fault: bool,
    /// The record concerned.
    pub record: Option<Uuid>,
    /// The position of the entry concerned.
    pub position: Option<u64>,
    /// The anchor that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// Details for people.
    pub detail: String,
}

/// Declares the kinds once, with their stable codes.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $fault:literal,)+) => {
        /// What an audit can find beyond what is wrong with one chain by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)+ }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable kebab-case code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// Whether it is a fault.
            #[must_use]
            pub const fn is_fault(self) -> bool {
                match self { $(Self::$name => $fault,)+ }
            }
        }
    };
}

kinds! {
    /// A record has no entry in the vault.
    ChainMissing = "chain-missing", true,
    /// Entries in the vault are of a record that is not there.
    RecordMissing = "record-missing", true,
    /// A record's own columns say something else than its chain.
    HeadMismatch = "head-columns", true,
    /// A chain hangs on an entry of another record that is not there.
    ParentMissing = "parent-missing", true,
    /// The columns of a checkpoint say something else than its statement.
    CheckpointColumns = "checkpoint-columns", true,
    /// A chain has fewer entries than a checkpoint says.
    Behind = "behind", true,
    /// A chain has another entry than a checkpoint says.
    Different = "different", true,
    /// Nothing is left of a chain of which there is a checkpoint.
    Removed = "removed", true,
    /// The database lacks a checkpoint that is anchored, or has another one in its place.
    CheckpointLost = "checkpoint-lost", true,
    /// An anchor lacks checkpoints that the database has in the same batch.
    AnchorIncomplete = "anchor-incomplete", true,
    /// An object is gone from an anchor, or was hidden.
    AnchorMissing = "anchor-missing", true,
    /// An object of an anchor is not one, or of another installation.
    AnchorUnreadable = "anchor-unreadable", true,
    /// There is more than one version of an object. Each is compared.
    AnchorReplaced = "anchor-replaced", true,
    /// A chain has entries that no anchor covers yet.
    Ahead = "ahead", false,
    /// An object is not written yet.
    AnchorPending = "anchor-pending", false,
    /// The oldest objects of an anchor are gone: their retention may have ended.
    AnchorExpired = "anchor-expired", false,
}

impl Finding {
    /// Something about a record.
    #[must_use]
    pub fn of_record(kind: Kind, record: Uuid, position: Option<u64>, detail: String) -> Self {
        Self { record: Some(record), position, ..Self::of(kind, detail) }
    }

    /// Something about an anchor.
    #[must_use]
    pub fn of_anchor(kind: Kind, location: &str, detail: String) -> Self {
        Self { anchor: Some(location.to_owned()), ..Self::of(kind, detail) }
    }

    /// The first check of a chain that failed.
    #[must_use]
    pub fn of_failure(failure: Failure) -> Self {
        Self {
            kind: failure.reason.code(),
            fault: true,
            record: failure.record,
            position: failure.position,
            anchor: None,
            detail: failure.detail,
        }
    }

    /// The same, as this anchor shows it.
    #[must_use]
    pub fn at(self, location: &str) -> Self {
        Self { anchor: Some(location.to_owned()), ..self }
    }

    /// Whether it is a fault.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        self.fault
    }

    fn of(kind: Kind, detail: String) -> Self {
        Self {
            kind: kind.code(),
            fault: kind.is_fault(),
            record: None,
            position: None,
            anchor: None,
            detail,
        }
    }
}
