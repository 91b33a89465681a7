/// Why a text is not acceptable JSON. Pointers are JSON Pointers (RFC 6901), "" for the whole
/// document; offsets count bytes from 0. Long keys and numbers are shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The input is not UTF-8.
    #[error("not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// First byte that does not belong to a character.
        offset: usize,
    },
    /// Arrays and objects nest too deeply.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where the first bracket beyond the limit stands.
        offset: usize,
    },
    /// A key occurs twice in one object.
    #[error("duplicate key at {pointer:?}")]
    DuplicateKey {
        /// The key that was repeated.
        pointer: String,
    },
    /// A number that an IEEE 754 double cannot carry unchanged.
    #[error(
        "number {text} at {pointer:?} does not survive an IEEE 754 double: send it as a string"
    )]
    InexactNumber {
        /// The value concerned.
        pointer: String,
        /// Where the number begins.
        offset: usize,
        /// The number as written.
        text: String,
    },
    /// U+0000 in a string or a key.
    #[error("U+0000 in a string or key at {pointer:?}")]
    Nul {
        /// The value, or the object whose key, is concerned.
        pointer: String,
    },
    /// Not JSON: syntax, a lone surrogate, or something after the value.
    #[error("{message} at {pointer:?}, line {line} column {column}")]
    Syntax {
        /// The innermost value that was being read.
        pointer: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1 (0 right after a line break).
        column: usize,
        /// What was wrong.
        message: String,
    },
}

impl JsonError {
    /// The JSON Pointer of the value concerned, when the error knows one.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Self::NotUtf8 { .. } | Self::TooDeep { .. } => None,
            Self::DuplicateKey { pointer }
            | Self::InexactNumber { pointer, .. }
            | Self::Nul { pointer }
            | Self::Syntax { pointer, .. } => Some(pointer),
        }
    }
}
