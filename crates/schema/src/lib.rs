//! Customer JSON Schemas: compiled once, then applied to many values. Pure: no I/O, no clock, no
//! network and no file access, whatever a schema refers to.
//!
//! Drafts 2020-12 (when `$schema` is absent), 2019-09 and draft-07, on the `jsonschema` crate. A
//! schema and the values it is applied to both come from customers, so every cost is bounded:
//!
//! * references stay within the document; `$id` may name the document but not parts of it;
//! * the schema's size, depth and node count are limited ([`limits`]);
//! * regular expressions run on a linear-time engine with a size limit;
//! * a chain of references that returns to itself without descending into the value is refused;
//! * the work that a value may cost is estimated from above before it is validated, and a value
//!   over the budget is refused with a violation instead of being run.
//!
//! `format` is asserted in every draft, because that is what authors of schemas expect: `date-time`,
//! `date`, `time`, `duration`, `email`, `hostname`, `ipv4`, `ipv6`, `uri`, `uri-reference`,
//! `uri-template`, `json-pointer` and `uuid` (which draft-07 lacks; we assert it there too).
//! `regex`, the internationalised `idn-*` formats and unknown formats are annotations only.

mod compiled;
mod cost;
mod error;
mod example;
mod extract;
mod graph;
mod levels;
pub mod limits;
mod pattern;
mod reference;
mod violation;

pub use compiled::Compiled;
pub use error::SchemaError;
pub use example::example;
pub use extract::extract;
pub use violation::Violation;
