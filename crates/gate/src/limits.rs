//! The limits that rules and the values they are applied to are held to. Together they bound what one
//! evaluation costs, whoever wrote the rules and the evidence, to some milliseconds and a few MiB.

/// Most mappings of one Type.
pub const MAPPINGS: usize = 64;
/// Longest name of a mapping, in characters.
pub const NAME_CHARS: usize = 100;
/// Longest JSON pointer, in bytes.
pub const POINTER_BYTES: usize = 512;
/// Most reference tokens of a JSON pointer.
pub const POINTER_TOKENS: usize = 32;
/// Longest decimal number, in bytes of its text.
pub const NUMBER_BYTES: usize = 128;
/// Most significant digits of a number that is read.
pub const NUMBER_DIGITS: u64 = 64;
/// Largest power of ten, up and down, of any digit of a number that is read: every IEEE 754 double fits.
pub const NUMBER_EXPONENT: i64 = 400;
/// Largest power of ten, up and down, of any digit that an expression may compute.
pub const RESULT_EXPONENT: i64 = 1_000;
/// Largest factor by which a dispute may widen tolerances.
pub const DISPUTE_FACTOR: u32 = 1_000;
/// Longest grace in seconds: 366 days.
pub const GRACE_SECONDS: i64 = 366 * 24 * 60 * 60;
/// Longest RFC 3339 text, in bytes.
pub const DATETIME_BYTES: usize = 64;
/// Longest text that is compared, in bytes.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Most texts in the list of a `oneOf`.
pub const CHOICES: usize = 256;
/// Longest expression, in bytes.
pub const EXPRESSION_BYTES: usize = 2 * 1024;
/// Deepest nesting of an expression: parentheses, calls and operators that wait for their operands.
pub const EXPRESSION_DEPTH: usize = 32;
/// Most instructions of an expression. Each runs at most once.
pub const EXPRESSION_STEPS: usize = 512;
/// Most faults reported of one set of rules.
pub const FAULTS: usize = 20;
/// Longest rendering of a value in an outcome or a fault, in characters.
pub const SHOWN_CHARS: usize = 160;
