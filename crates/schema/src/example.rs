use serde_json::{Map, Number, Value, json};

use crate::compiled::Compiled;
use crate::reference::{Target, parse, shorten};

/// Deepest nesting of an example, in levels of values.
const LEVELS: usize = 12;
/// Most schemas looked at for one example.
const BUDGET: usize = 2_000;
/// How many alternatives of `oneOf` and `anyOf` are tried, one after the other.
const CHOICES: usize = 4;
/// Optional properties shown when none is required.
const OPTIONAL: usize = 3;
/// Most items, or characters of a string, that `minItems` or `minLength` can ask for.
const FILL: usize = 256;

/// A small value that satisfies `schema`, to copy and adapt: from `examples`, `default`, `const`
/// and `enum` where the schema has them, otherwise from types and required properties.
///
/// `None` when the schema does not compile or no attempt satisfies it (patterns without an example
/// and contradictory schemas are the usual reasons). Depth and size are bounded.
#[must_use]
pub fn example(schema: &Value) -> Option<Value> {
    let compiled = Compiled::compile(schema).ok()?;
    [true, false].into_iter().find_map(|annotated| {
        (0..CHOICES).find_map(|choice| {
            let mut builder = Builder { root: schema, annotated, choice, budget: BUDGET };
            builder.build(schema, 0).filter(|value| compiled.validate(value).is_ok())
        })
    })
}

struct Builder<'a> {
    root: &'a Value,
    /// Whether `examples` and `default` are used.
    annotated: bool,
    /// Which alternative is taken.
    choice: usize,
    budget: usize,
}

impl<'a> Builder<'a> {
    fn build(&mut self, schema: &'a Value, level: usize) -> Option<Value> {
        let mut parts = Vec::new();
        self.flatten(schema, &mut parts);
        if parts.is_empty() && self.budget == 0 {
            return None;
        }
        if let Some(value) = self.given(&parts) {
            return Some(value);
        }
        if level > LEVELS {
            return None;
        }
        match kind(&parts) {
            "object" => self.object(&parts, level),
            "array" => self.array(&parts, level),
            "string" => string(&parts),
            "integer" => number(&parts, true),
            "number" => number(&parts, false),
            "boolean" => Some(Value::Bool(true)),
            _ => Some(Value::Null),
        }
    }

    /// Collects all schemas that apply to one value, with one alternative of each choice.
    fn flatten(&mut self, schema: &'a Value, parts: &mut Vec<&'a Map<String, Value>>) {
        let (Value::Object(map), Some(budget)) = (schema, self.budget.checked_sub(1)) else {
            return;
        };
        self.budget = budget;
        parts.push(map);
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(target) = map.get(keyword).and_then(|text| self.target(text)) {
                self.flatten(target, parts);
            }
        }
        for item in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.flatten(item, parts);
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(items)) = map.get(keyword)
                && !items.is_empty()
            {
                self.flatten(&items[self.choice % items.len()], parts);
            }
        }
        // Of a condition, the branch for `if` not holding asks for less to be made up.
        if let Some(otherwise) = map.get("else") {
            self.flatten(otherwise, parts);
        }
    }

    fn target(&self, reference: &Value) -> Option<&'a Value> {
        let id = self.root.get("$id").and_then(Value::as_str);
        match parse(reference.as_str()?, id) {
            Target::Pointer(pointer) => self.root.pointer(&pointer),
            Target::Anchor(_) | Target::Remote => None,
        }
    }

    /// A value that the schema itself offers.
    fn given(&self, parts: &[&'a Map<String, Value>]) -> Option<Value> {
        let first = |keyword: &str| parts.iter().find_map(|part| part.get(keyword));
        let of_list = |value: &Value| value.as_array().and_then(|items| items.first()).cloned();
        let annotated =
            || first("examples").and_then(of_list).or_else(|| first("default").cloned());
        first("const")
            .cloned()
            .or_else(|| self.annotated.then(annotated).flatten())
            .or_else(|| first("enum").and_then(of_list))
    }

    fn object(&mut self, parts: &[&'a Map<String, Value>], level: usize) -> Option<Value> {
        let mut names: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.get("required")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = || parts.iter().filter_map(|part| part.get("properties")?.as_object());
        let optional = names.is_empty();
        if optional && level < 2 {
            names.extend(properties().flat_map(Map::keys).map(String::as_str).take(OPTIONAL));
        }
        let mut object = Map::new();
        for name in names {
            if object.contains_key(name) {
                continue;
            }
            // A name can be described in several places, all of which must hold.
            let mut schemas = properties().filter_map(|map| map.get(name)).peekable();
            let value = match schemas.peek() {
                None => self.filler(),
                Some(_) => self.best(schemas.collect(), level + 1),
            };
            match value {
                Some(value) => drop(object.insert(name.to_owned(), value)),
                None if optional => {}
                None => return None,
            }
        }
        Some(Value::Object(object))
    }

    /// A value where the schema does not say which.
    fn filler(&mut self) -> Option<Value> {
        self.budget = self.budget.checked_sub(1)?;
        Some(Value::String("value".to_owned()))
    }

    /// Builds from the most telling of several schemas for one place.
    fn best(&mut self, mut schemas: Vec<&'a Value>, level: usize) -> Option<Value> {
        schemas.sort_by_key(|schema| {
            let telling = ["const", "enum", "$ref", "type"];
            telling.iter().position(|keyword| schema.get(*keyword).is_some()).unwrap_or(9)
        });
        schemas.first().and_then(|schema| self.build(schema, level))
    }

    fn array(&mut self, parts: &[&'a Map<String, Value>], level: usize) -> Option<Value> {
        let first = |keyword: &str| parts.iter().find_map(|part| part.get(keyword));
        let at_least = limit(parts, "minItems").unwrap_or(0);
        let mut items = Vec::new();
        let prefix = first("prefixItems").or(first("items")).and_then(Value::as_array);
        for schema in prefix.into_iter().flatten() {
            items.push(self.build(schema, level + 1)?);
        }
        let rest = first("contains").or(first("items").filter(|items| !items.is_array()));
        let wanted = at_least.max(usize::from(first("contains").is_some())).min(FILL);
        while items.len() < wanted {
            let item = match rest {
                Some(schema) => self.build(schema, level + 1)?,
                None => self.filler()?,
            };
            items.push(item);
        }
        Some(Value::Array(items))
    }
}

/// The type to make: the first named one that is not null, or what the keywords are about.
fn kind(parts: &[&Map<String, Value>]) -> &'static str {
    const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];
    let named = parts.iter().find_map(|part| match part.get("type")? {
        Value::String(name) => Some(name.as_str()),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").or(Some("null"))
        }
        _ => None,
    });
    if let Some(named) = named {
        return TYPES.into_iter().find(|name| *name == named).unwrap_or("null");
    }
    let has = |keywords: &[&str]| {
        parts.iter().any(|part| keywords.iter().any(|keyword| part.contains_key(*keyword)))
    };
    if has(&["properties", "required", "additionalProperties", "minProperties"]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "contains"]) {
        "array"
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        "number"
    } else if has(&["format", "pattern", "minLength", "maxLength"]) {
        "string"
    } else {
        "object"
    }
}

/// The largest value that any of the schemas gives for a length keyword.
fn limit(parts: &[&Map<String, Value>], keyword: &str) -> Option<usize> {
    let found = parts.iter().filter_map(|part| part.get(keyword)?.as_u64()).max()?;
    Some(usize::try_from(found).unwrap_or(usize::MAX))
}

fn string(parts: &[&Map<String, Value>]) -> Option<Value> {
    let first = |keyword: &str| parts.iter().find_map(|part| part.get(keyword)?.as_str());
    if let Some(pattern) = first("pattern") {
        return jsonschema_regex::pattern_witness(pattern).map(Value::String);
    }
    let text = match first("format").unwrap_or_default() {
        "date-time" => "2026-01-31T09:30:00Z",
        "date" => "2026-01-31",
        "time" => "09:30:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" | "uri-reference" | "iri-reference" | "uri-template" => {
            "https://example.com/"
        }
        "uuid" => "6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "json-pointer" => "/name",
        _ => "text",
    };
    let wanted = limit(parts, "minLength").unwrap_or(0).min(FILL);
    let mut text = text.to_owned();
    let missing = wanted.saturating_sub(text.len());
    text.extend(std::iter::repeat_n('x', missing));
    if let Some(most) = parts.iter().filter_map(|part| part.get("maxLength")?.as_u64()).min() {
        text = text.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
    }
    Some(Value::String(shorten(&text, FILL)))
}

/// The number nearest to 1 that the bounds and `multipleOf` allow.
fn number(parts: &[&Map<String, Value>], integer: bool) -> Option<Value> {
    let all =
        |keyword: &'static str| parts.iter().filter_map(move |part| part.get(keyword)?.as_f64());
    let step = all("multipleOf").fold(if integer { 1.0 } else { 0.0 }, f64::max);
    let gap = if step > 0.0 { step } else { 0.5 };
    let low = all("minimum").chain(all("exclusiveMinimum").map(|low| low + gap)).reduce(f64::max);
    let high =
        all("maximum").chain(all("exclusiveMaximum").map(|high| high - gap)).reduce(f64::min);
    let mut number: f64 = if step > 0.0 { step } else { 1.0 };
    if let Some(low) = low {
        number = number.max(if step > 0.0 { (low / step).ceil() * step } else { low });
    }
    if let Some(high) = high {
        number = number.min(if step > 0.0 { (high / step).floor() * step } else { high });
    }
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        #[allow(clippy::cast_possible_truncation)] // The bound above makes it exact.
        return Some(json!(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}
