use std::sync::{Mutex, PoisonError};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::cost::{Estimate, Plan};
use crate::error::SchemaError;
use crate::graph::Graph;
use crate::limits::{
    COPIES_TO_EXPLAIN, DEPTH, PATTERN_PROGRAM_BYTES, SCHEMA_BYTES, SCHEMA_NODES, WORK,
};
use crate::reference::{push_token, shorten};
use crate::violation::{self, Violation};

/// Stack of a thread that compiles, or that validates deep values; only touched pages are used.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Levels of value times levels of schema that certainly fit the caller's stack, also when built
/// without optimisation and called on a thread of 2 MiB.
const LEVELS_ON_CALLERS_STACK: usize = 128;

/// Copied values that a thread may hold beside others that do the same.
const COPIES_AT_ONCE: u64 = 20_000;
static EXPLAINING: Mutex<()> = Mutex::new(());

/// A schema ready to validate with. `Send + Sync`; share it in an `Arc`.
#[derive(Debug)]
pub struct Compiled {
    validator: Validator,
    plan: Plan,
}

impl Compiled {
    /// Compiles a schema of draft 2020-12 (default), 2019-09 or draft-07.
    ///
    /// Takes some microseconds to a few hundred milliseconds (at the size limit), on a thread of
    /// its own. Never touches network or files.
    ///
    /// # Errors
    /// Every way in which a schema can be unusable or too costly, see [`SchemaError`]. The first
    /// fault found is reported.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        check_size(schema)?;
        let graph = Graph::build(schema)?;
        let plan = Plan::new(&graph)?;
        let options = options(graph.draft);
        drop(graph);
        let built = on_large_stack(|| {
            options.build(schema).map_err(|error| SchemaError::Invalid {
                path: shorten(error.instance_path().as_str(), 512),
                message: violation::describe(&error),
            })
        });
        Ok(Self { validator: built.ok_or(SchemaError::Busy)??, plan })
    }

    /// Validates `value`; for a valid one nothing is allocated that depends on the schema.
    ///
    /// # Errors
    /// At most [`crate::limits::VIOLATIONS`] violations, at least one. A value that is nested
    /// deeper than [`DEPTH`], or could cost more than [`WORK`] steps under this schema, is one
    /// violation and is not run. When listing everything would cost too much, one is reported.
    pub fn validate(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let estimate = self.plan.estimate(value);
        if estimate.depth > DEPTH {
            return Err(vec![Violation::too_deep(value)]);
        }
        if estimate.work > WORK {
            return Err(vec![Violation::too_costly(value)]);
        }
        let check = || {
            if self.validator.is_valid(value) {
                return Ok(());
            }
            Err(self.explain(value, &estimate))
        };
        if (estimate.depth + 1) * (self.plan.in_place_depth + 1) <= LEVELS_ON_CALLERS_STACK {
            return check();
        }
        on_large_stack(check).unwrap_or_else(|| Err(vec![Violation::too_costly(value)]))
    }

    fn explain(&self, value: &Value, estimate: &Estimate) -> Vec<Violation> {
        // Faults within alternatives hold copies of the value: many at once only in one thread.
        let _one_at_a_time = (estimate.copies > COPIES_AT_ONCE)
            .then(|| EXPLAINING.lock().unwrap_or_else(PoisonError::into_inner));
        // Each step down a chain of alternatives decides them again before it lists their faults.
        let work = estimate.work.saturating_mul(self.plan.in_place_depth as u64);
        let violations = if estimate.copies <= COPIES_TO_EXPLAIN && work <= 4 * WORK {
            violation::collect(self.validator.iter_errors(value))
        } else if self.plan.alternatives {
            Vec::new()
        } else {
            violation::collect(self.validator.validate(value).err().into_iter())
        };
        if violations.is_empty() { vec![Violation::unexplained(value)] } else { violations }
    }
}

fn options(draft: jsonschema::Draft) -> jsonschema::ValidationOptions<'static> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_PROGRAM_BYTES)
        .dfa_size_limit(PATTERN_PROGRAM_BYTES);
    jsonschema::options()
        .with_draft(draft)
        .offline()
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_format("uuid", is_uuid)
        // Compiling regular expressions is work that a value must not be able to ask for.
        .with_format("regex", |_: &str| true)
}

/// RFC 9562 section 4: hexadecimal digits in groups of 8-4-4-4-12.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Runs `task` on a thread with a large stack; `None` when none can be started.
fn on_large_stack<T: Send>(task: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("deed-schema".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, task)
            .ok()?;
        match thread.join() {
            Ok(result) => Some(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Depth first, because everything after it recurses.
pub(crate) fn check_size(schema: &Value) -> Result<(), SchemaError> {
    let mut nodes = 0;
    if let Some(path) = too_deep(schema, 0, &mut nodes) {
        return Err(SchemaError::TooDeep { path: shorten(&path, 512) });
    }
    if nodes > SCHEMA_NODES {
        return Err(SchemaError::TooManyNodes);
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, schema) {
        Ok(()) => Ok(()),
        Err(_) => Err(SchemaError::TooLarge),
    }
}

/// The pointer to the first container on a level that is too deep; counts values on the way.
fn too_deep(value: &Value, level: usize, nodes: &mut usize) -> Option<String> {
    *nodes += 1;
    let below = |token: &str, item: &Value, nodes: &mut usize| {
        too_deep(item, level + 1, nodes).map(|rest| {
            let mut path = String::new();
            push_token(&mut path, token);
            path + &rest
        })
    };
    match value {
        Value::Array(_) | Value::Object(_) if level >= DEPTH => Some(String::new()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| below(&index.to_string(), item, nodes)),
        Value::Object(map) => map.iter().find_map(|(name, item)| below(name, item, nodes)),
        _ => None,
    }
}

/// Counts bytes and fails at the limit.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > SCHEMA_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
