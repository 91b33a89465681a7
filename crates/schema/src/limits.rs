//! The limits that a schema and a value are held to.

/// Largest schema, in bytes of its compact JSON text.
pub const SCHEMA_BYTES: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects in a schema, and in a value to be validated.
pub const DEPTH: usize = 64;
/// Most JSON values (objects, arrays and scalars together) in a schema.
pub const SCHEMA_NODES: usize = 100_000;
/// Longest regular expression, in bytes.
pub const PATTERN_BYTES: usize = 1024;
/// Largest compiled program of one regular expression, in bytes.
pub const PATTERN_PROGRAM_BYTES: usize = 256 * 1024;
/// Most different regular expressions in one schema.
pub const PATTERNS: usize = 256;
/// Most violations reported for one value.
pub const VIOLATIONS: usize = 20;
/// Longest chain of keywords and references that apply to one and the same value (`allOf` in a
/// `$ref` in an `anyOf` ...).
pub const IN_PLACE_DEPTH: usize = 256;
/// Most work that one value may cost, in steps. A step is about one keyword applied to one value,
/// one comparison or 16 bytes of text looked at: some tens of nanoseconds.
pub const WORK: u64 = 10_000_000;
/// Most work that a schema may need for one level of a value near its root; a schema over it could
/// not be used for any value that is worth recording.
pub const WORK_PER_LEVEL: u64 = 1_000_000;
/// Most JSON values that may have to be copied, as estimated, to list everything that is wrong with
/// a value; over it, less is reported. Keeps the memory for an invalid value in the order of 100 MiB,
/// in one thread at a time.
pub const COPIES_TO_EXPLAIN: u64 = 1_000_000;
