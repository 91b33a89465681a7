use crate::limits;

/// Why a schema is refused.
///
/// `Display` gives the message; [`SchemaError::path`] says where, [`SchemaError::hint`] what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A place that needs a schema holds neither an object nor a boolean.
    #[error("a schema must be an object or a boolean, found {found}")]
    NotASchema {
        /// JSON pointer to the place in the schema.
        path: String,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// `$schema` names a dialect other than the three supported ones, or is not at the root.
    #[error("unsupported $schema {found}")]
    UnsupportedDraft {
        /// JSON pointer to the keyword.
        path: String,
        /// What it holds, shortened.
        found: String,
    },
    /// A reference leaves the document.
    #[error("the reference {reference} leaves this document; it is never fetched")]
    RemoteReference {
        /// JSON pointer to the keyword.
        path: String,
        /// The reference, shortened.
        reference: String,
    },
    /// A reference within the document names nothing.
    #[error("the reference {reference} names nothing in this document")]
    UnresolvedReference {
        /// JSON pointer to the keyword.
        path: String,
        /// The reference, shortened.
        reference: String,
    },
    /// `$id` below the root would change what the references under it mean.
    #[error("$id is only supported at the root of a schema")]
    NestedId {
        /// JSON pointer to the keyword.
        path: String,
    },
    /// Larger than [`limits::SCHEMA_BYTES`].
    #[error("the schema is larger than {} bytes", limits::SCHEMA_BYTES)]
    TooLarge,
    /// Nested deeper than [`limits::DEPTH`].
    #[error("the schema is nested deeper than {} levels", limits::DEPTH)]
    TooDeep {
        /// JSON pointer to the first value that lies too deep.
        path: String,
    },
    /// More JSON values than [`limits::SCHEMA_NODES`].
    #[error("the schema has more than {} values", limits::SCHEMA_NODES)]
    TooManyNodes,
    /// A regular expression does not compile.
    #[error("the regular expression {pattern} does not compile: {reason}")]
    BadPattern {
        /// JSON pointer to the pattern.
        path: String,
        /// The pattern, shortened.
        pattern: String,
        /// What the regular expression engine says.
        reason: String,
    },
    /// A regular expression uses look-around or a backreference.
    #[error("the regular expression {pattern} uses {construct}, which is not supported")]
    UnsupportedPattern {
        /// JSON pointer to the pattern.
        path: String,
        /// The pattern, shortened.
        pattern: String,
        /// `look-around` or `a backreference`.
        construct: &'static str,
    },
    /// A regular expression is too long or compiles to too large a program.
    #[error("the regular expression {pattern} is too large")]
    PatternTooLarge {
        /// JSON pointer to the pattern.
        path: String,
        /// The pattern, shortened.
        pattern: String,
    },
    /// More regular expressions than [`limits::PATTERNS`].
    #[error("the schema has more than {} different regular expressions", limits::PATTERNS)]
    TooManyPatterns {
        /// JSON pointer to the first pattern over the limit.
        path: String,
    },
    /// References lead back to the same schema without descending into the value.
    #[error("this schema refers back to itself for the same value, which would never end")]
    EndlessReference {
        /// JSON pointer to a schema on the cycle.
        path: String,
    },
    /// Validation would cost too much for any value.
    #[error("the schema applies too many alternatives to one value")]
    TooComplex {
        /// JSON pointer to the schema at which the limit is passed.
        path: String,
    },
    /// The schema breaks the rules of its draft.
    #[error("not a valid schema of its draft: {message}")]
    Invalid {
        /// JSON pointer to the place in the schema.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// The machine could not provide what compiling needs; the schema may be in order.
    #[error("the schema could not be compiled now: no thread could be started")]
    Busy,
}

impl SchemaError {
    /// JSON pointer to the place in the schema; empty for the schema as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::NotASchema { path, .. }
            | Self::UnsupportedDraft { path, .. }
            | Self::RemoteReference { path, .. }
            | Self::UnresolvedReference { path, .. }
            | Self::NestedId { path }
            | Self::TooDeep { path }
            | Self::BadPattern { path, .. }
            | Self::UnsupportedPattern { path, .. }
            | Self::PatternTooLarge { path, .. }
            | Self::TooManyPatterns { path }
            | Self::EndlessReference { path }
            | Self::TooComplex { path }
            | Self::Invalid { path, .. } => path,
            Self::TooLarge | Self::TooManyNodes | Self::Busy => "",
        }
    }

    /// What the author of the schema can do about it, one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotASchema { .. } => {
                "Put an object such as {\"type\": \"string\"}, or true, here."
            }
            Self::UnsupportedDraft { .. } => {
                "Use \"https://json-schema.org/draft/2020-12/schema\" (also the default), \
                 \"https://json-schema.org/draft/2019-09/schema\" or \
                 \"http://json-schema.org/draft-07/schema#\" at the root, or leave $schema out."
            }
            Self::RemoteReference { .. } => {
                "Copy the schema you refer to under $defs and refer to it as #/$defs/<name>."
            }
            Self::UnresolvedReference { .. } => {
                "Refer to #, to #/$defs/<name> (draft-07: #/definitions/<name>) or to an $anchor \
                 that this document has."
            }
            Self::NestedId { .. } => {
                "Remove $id here; put the schema under $defs and refer to it as #/$defs/<name>."
            }
            Self::TooLarge | Self::TooManyNodes => {
                "Keep only the definitions this Type needs, or split it into several Types."
            }
            Self::TooDeep { .. } => "Move inner schemas to $defs and refer to them.",
            Self::BadPattern { .. } => "Correct the regular expression (ECMA-262 syntax).",
            Self::UnsupportedPattern { .. } => {
                "Write the pattern without it; several conditions can be combined with allOf, and \
                 a forbidden one with not."
            }
            Self::PatternTooLarge { .. } => {
                "Shorten it: use smaller repetition counts, or minLength and maxLength."
            }
            Self::TooManyPatterns { .. } => "Share patterns, or use enum and format instead.",
            Self::EndlessReference { .. } => {
                "Recurse through properties or items, so that each step goes down into the value."
            }
            Self::TooComplex { .. } => {
                "Use fewer or less deeply nested allOf, anyOf and oneOf, and shorter enum lists."
            }
            Self::Invalid { .. } => "Correct the keyword at this path.",
            Self::Busy => "Send the request again.",
        }
    }
}
