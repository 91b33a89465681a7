//! How much work validating a value can be, from above, without doing it.
//!
//! The validator visits each pair of a schema and a value that keywords lead to, and repeats a
//! visit when two ways lead there: alternatives of alternatives multiply. At compile time we
//! compute, for each level of a value, the most visits that any one place on that level can get
//! ([`Levels`], apart for each property of the root); for a value we then only add up over its
//! places ([`Plan::estimate`]), which is linear in the value whatever the schema is. Recursive
//! schemas need no special case, as values have at most [`DEPTH`] levels.

use serde_json::Value;

use crate::error::SchemaError;
use crate::graph::{Graph, Node};
use crate::levels::{Levels, in_place_order};
use crate::limits::DEPTH;

/// Numbers up to this are told apart by the hash that `uniqueItems` uses.
const EXACT_INTEGER: u64 = 1 << 53;

/// Work at one place in a value. All sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Steps, whatever stands there.
    pub(crate) steps: u64,
    /// Further steps if it is an object.
    pub(crate) object: u64,
    /// Sixteenths of a step for each byte of a string.
    pub(crate) text: u64,
    /// Sixteenths of a step for each byte of the property names of an object.
    pub(crate) names: u64,
    /// How often the items of an array are compared with each other.
    pub(crate) unique: u64,
}

impl Cost {
    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            object: self.object.saturating_add(other.object),
            text: self.text.saturating_add(other.text),
            names: self.names.saturating_add(other.names),
            unique: self.unique.saturating_add(other.unique),
        }
    }

    pub(crate) fn times(self, times: u64) -> Self {
        Self {
            steps: self.steps.saturating_mul(times),
            object: self.object.saturating_mul(times),
            text: self.text.saturating_mul(times),
            names: self.names.saturating_mul(times),
            unique: self.unique.saturating_mul(times),
        }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            steps: self.steps.max(other.steps),
            object: self.object.max(other.object),
            text: self.text.max(other.text),
            names: self.names.max(other.names),
            unique: self.unique.max(other.unique),
        }
    }

    /// The keywords of one schema, without those that apply other schemas.
    pub(crate) fn of(node: &Node<'_>) -> Self {
        let Value::Object(map) = node.value else { return Self::default() };
        let len = |keyword: &str| match map.get(keyword) {
            Some(Value::Object(map)) => map.len() as u64,
            Some(Value::Array(items)) => items.len() as u64,
            _ => 0,
        };
        let has = |keyword: &str| u64::from(map.contains_key(keyword));
        let options = match map.get("enum") {
            Some(Value::Array(items)) if !items.iter().all(Value::is_string) => {
                items.iter().map(size).fold(0, u64::saturating_add)
            }
            _ => 0,
        };
        let dependencies: u64 = ["dependencies", "dependentRequired"]
            .iter()
            .filter_map(|keyword| map.get(*keyword))
            .map(size)
            .fold(0, u64::saturating_add);
        Self {
            steps: 1 + map.len() as u64 / 4 + options,
            object: (len("properties") + len("required")) / 4 + dependencies,
            text: node.pattern_cost
                + has("format")
                + has("minLength")
                + has("maxLength")
                + has("contentEncoding")
                + has("contentMediaType"),
            names: node.name_cost,
            unique: has("uniqueItems"),
        }
    }
}

/// JSON values in `value`, itself included.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(size).fold(1, u64::saturating_add),
        Value::Object(map) => map.values().map(size).fold(1, u64::saturating_add),
        _ => 1,
    }
}

/// What is known of a schema's cost once it is compiled.
#[derive(Debug)]
pub(crate) struct Plan {
    levels: Levels,
    /// Longest chain of schemas that apply to one and the same value.
    pub(crate) in_place_depth: usize,
    /// Whether the schema has `anyOf` or `oneOf`, whose errors hold copies of the value.
    pub(crate) alternatives: bool,
}

/// What validating one value can cost.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    /// Steps to decide whether it is valid.
    pub(crate) work: u64,
    /// JSON values that listing everything that is wrong with it may copy.
    pub(crate) copies: u64,
    /// Levels of the value; more than [`DEPTH`] means that counting stopped there.
    pub(crate) depth: usize,
}

impl Plan {
    pub(crate) fn new(graph: &Graph<'_>) -> Result<Self, SchemaError> {
        let (order, in_place_depth) = in_place_order(graph)?;
        let levels = Levels::new(graph, &order)?;
        let alternatives = graph.nodes.iter().any(|node| {
            let has = |keyword| node.value.get(keyword).is_some();
            has("anyOf") || has("oneOf")
        });
        Ok(Self { levels, in_place_depth, alternatives })
    }

    /// Adds up what `value` can cost.
    pub(crate) fn estimate(&self, value: &Value) -> Estimate {
        let mut estimate = Estimate::default();
        self.levels.visit(value, &self.levels.places, 0, &mut estimate);
        estimate
    }
}

impl Levels {
    /// Returns the size of `value`: JSON values plus one for each 64 bytes of text.
    fn visit(&self, value: &Value, places: &[Cost], level: usize, estimate: &mut Estimate) -> u64 {
        if level > DEPTH {
            estimate.depth = level;
            return 1;
        }
        let cost = places.get(level).copied().unwrap_or_default();
        let mut size: u64 = 1;
        let mut steps = cost.steps;
        let mut work: u64 = 0;
        match value {
            Value::String(text) => {
                size += text.len() as u64 / 64;
                work = work.saturating_add(sixteenths(cost.text, text.len()));
            }
            Value::Array(items) => {
                estimate.depth = estimate.depth.max(level + 1);
                for item in items {
                    size += self.visit(item, places, level + 1, estimate);
                }
                let compared = comparisons(items).saturating_add(size);
                work = work.saturating_add(cost.unique.saturating_mul(compared));
            }
            Value::Object(map) => {
                estimate.depth = estimate.depth.max(level + 1);
                let mut names = 0;
                for (name, item) in map {
                    names += name.len();
                    let places = if level == 0 { self.of_property(name) } else { places };
                    size +=
                        1 + name.len() as u64 / 64 + self.visit(item, places, level + 1, estimate);
                }
                // Each schema may look at every name; a name is also a text for propertyNames.
                let looks = cost.steps.saturating_mul(map.len() as u64 / 8);
                steps = steps.saturating_add(cost.object);
                let below = places.get(level + 1).map_or(0, |below| below.text);
                let text = sixteenths(cost.names.saturating_add(below), names);
                work = work.saturating_add(looks).saturating_add(text);
            }
            _ => {}
        }
        estimate.work = estimate.work.saturating_add(steps).saturating_add(work);
        // Each fault found within an alternative holds a copy of the value it is about.
        estimate.copies = estimate.copies.saturating_add(steps.saturating_mul(size));
        size
    }
}

fn sixteenths(cost: u64, bytes: usize) -> u64 {
    cost.saturating_mul(bytes as u64) / 16
}

/// Comparisons that `uniqueItems` can need. The validator hashes items, but its hash can be made to
/// collide for containers and for large integers, and then every item is compared with every other.
fn comparisons(items: &[Value]) -> u64 {
    let count = items.len() as u64;
    let collides = |item: &Value| match item {
        Value::Array(_) | Value::Object(_) => true,
        Value::Number(number) => number
            .as_u64()
            .or(number.as_i64().map(i64::unsigned_abs))
            .is_some_and(|n| n > EXACT_INTEGER),
        _ => false,
    };
    if items.iter().any(collides) { count.saturating_mul(count) / 2 } else { count }
}
