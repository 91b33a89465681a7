use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// What [`verify`](super::verify) found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The judgement.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Issuer that the document names; true only if the verdict is valid.
    pub issuer: Option<String>,
    /// Installation that the document names; true only if the verdict is valid.
    pub installation_id: Option<String>,
    /// The record that was asked for; true only if the verdict is valid.
    pub root: Option<Uuid>,
    /// What was checked, up to the first failure.
    pub checked: Checked,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Every check passed, under keys that the caller trusts.
    Valid,
    /// A check failed.
    Tampered {
        /// The first failure.
        failure: Failure,
    },
    /// No check failed, but the question cannot be answered.
    CannotTell {
        /// Why, for people.
        reason: String,
    },
}

/// How many of each kind of thing passed its check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Keys whose thumbprint is their `kid` and that are sound Ed25519 keys.
    pub keys: u64,
    /// Keys found in the caller's trusted set.
    pub trusted_keys: u64,
    /// Genesis statements.
    pub genesis: u64,
    /// Complete chains.
    pub records: u64,
    /// Entries.
    pub entries: u64,
    /// Ed25519 signatures.
    pub signatures: u64,
    /// Links from an entry to its predecessor or to the genesis statement.
    pub links: u64,
    /// Bodies canonicalised and hashed.
    pub bodies: u64,
    /// Erased bodies whose erasure is recorded in the chain.
    pub erased: u64,
    /// Links from a child record to an entry of its parent in the same document.
    pub parent_links: u64,
    /// Links to a parent outside the document, which cannot be followed.
    pub parents_outside: u64,
    /// Export statements.
    pub export_statements: u64,
}

/// The first check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The record concerned.
    pub record: Option<Uuid>,
    /// The position of the entry concerned.
    pub position: Option<u64>,
    /// Which check failed.
    pub reason: Reason,
    /// Details for people.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record}, ")?;
        }
        if let Some(position) = self.position {
            write!(f, "entry {position}, ")?;
        }
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

/// Declares the reasons once, with their stable codes.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// Which check failed. The code is stable: programs may depend on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable kebab-case code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

reasons! {
    /// Not a document of this format: bad JSON, or a member missing, unknown or of another form.
    Malformed = "malformed",
    /// The bytes are not the canonical JSON of what they say.
    NotCanonical = "not-canonical",
    /// A key is of small or mixed order.
    WeakKey = "weak-key",
    /// A key is not a canonical Ed25519 public key in the published form.
    InvalidKey = "invalid-key",
    /// A key's `kid` is not its thumbprint.
    KidMismatch = "kid-mismatch",
    /// Keys are not in ascending order of `kid`, or one is repeated.
    KeyOrder = "key-order",
    /// A key is not among those that the caller trusts.
    UntrustedKey = "untrusted-key",
    /// A statement is signed by a key that the document does not list.
    UnknownKey = "unknown-key",
    /// A key is listed that signed nothing here.
    UnusedKey = "unused-key",
    /// A statement is not a COSE_Sign1 in the one accepted encoding.
    StatementMalformed = "statement-malformed",
    /// A signature was altered into another form.
    SignatureNotCanonical = "signature-not-canonical",
    /// A signature does not fit statement and key.
    SignatureInvalid = "signature-invalid",
    /// A statement's time cannot be written as RFC 3339.
    IssuedAtRange = "issued-at-range",
    /// A statement's issuer is not the document's.
    IssuerMismatch = "issuer-mismatch",
    /// The genesis statement is of another installation than the document names.
    InstallationMismatch = "installation-mismatch",
    /// The genesis statement or its body is not what such a statement must be.
    GenesisInvalid = "genesis-invalid",
    /// The hash given for an entry is not its hash.
    HashMismatch = "hash-mismatch",
    /// An entry belongs to another record.
    SubjectMismatch = "subject-mismatch",
    /// A statement without a place in a chain stands among the entries.
    LinkMissing = "link-missing",
    /// The position given for an entry is not the one it was signed with.
    PositionMismatch = "position-mismatch",
    /// Positions do not run from 0 without gap or repetition.
    PositionSequence = "position-sequence",
    /// Entry 0 does not follow this installation's genesis statement.
    GenesisMismatch = "genesis-mismatch",
    /// An entry does not follow the entry before it.
    PreviousMismatch = "previous-mismatch",
    /// An epoch is lower than that of the entry before.
    EpochDecreased = "epoch-decreased",
    /// A body's hash is not the signed payload.
    BodyHashMismatch = "body-hash-mismatch",
    /// A body lacks `kind` or `salt`, or has a `parent` of another form.
    BodyMalformed = "body-malformed",
    /// A body is missing without an erasure mark, or present with one.
    BodyMissing = "body-missing",
    /// A body is marked erased, but no later entry records the erasure.
    ErasureUnproven = "erasure-unproven",
    /// A record has no entries.
    RecordEmpty = "record-empty",
    /// Records are not in ascending order of identifier, or one is repeated.
    RecordOrder = "record-order",
    /// The export statement or its body is not what such a statement must be.
    ExportInvalid = "export-invalid",
    /// A checkpoint or its body is not what such a statement must be.
    CheckpointInvalid = "checkpoint-invalid",
    /// The export statement is about another record, or that record is not in the document.
    RootMismatch = "root-mismatch",
    /// A record that the export statement covers is missing.
    RecordMissing = "record-missing",
    /// A record that the export statement does not cover is present.
    RecordUnlisted = "record-unlisted",
    /// A chain is shorter than the export statement says.
    EntryMissing = "entry-missing",
    /// A chain is longer than the export statement says.
    EntryUnlisted = "entry-unlisted",
    /// A chain's last entry is not the one that the export statement names.
    HeadMismatch = "head-mismatch",
    /// A child's parent link names no entry of its parent.
    ParentMismatch = "parent-mismatch",
    /// A record other than the root has no parent in the document.
    OrphanRecord = "orphan-record",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
