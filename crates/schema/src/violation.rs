use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde::Serialize;
use serde_json::Value;

use crate::limits::{DEPTH, VIOLATIONS};
use crate::reference::shorten;

/// Longest rendering of what was found, in characters.
const FOUND: usize = 120;
/// Longest rendering of what was expected, in characters.
const EXPECTED: usize = 400;
/// How many faults of the nearest alternative are reported beside `anyOf` or `oneOf`.
const NEAREST: usize = 3;

/// One way in which a value does not satisfy a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the place in the value; empty for the value itself.
    pub path: String,
    /// What the schema wants there, in words.
    pub expected: String,
    /// What was there, at most 120 characters. May show the caller's data: do not log it.
    pub found: String,
    /// Both in one sentence, with the keyword's own detail.
    pub message: String,
    /// The keyword that failed, or `deed:limit` for a limit of ours.
    pub keyword: String,
}

impl Violation {
    fn new(path: &str, keyword: &str, expected: &str, found: String) -> Self {
        let expected = shorten(expected, EXPECTED);
        let place = if path.is_empty() { "the value".to_owned() } else { shorten(path, EXPECTED) };
        Self {
            path: path.to_owned(),
            message: format!("{place}: expected {expected}, found {found}"),
            expected,
            found,
            keyword: keyword.to_owned(),
        }
    }

    fn limit(value: &Value, expected: &str) -> Self {
        Self::new("", "deed:limit", expected, outline(value))
    }

    pub(crate) fn too_deep(value: &Value) -> Self {
        Self::limit(value, &format!("a value nested at most {DEPTH} levels deep"))
    }

    pub(crate) fn too_costly(value: &Value) -> Self {
        Self::limit(
            value,
            "a value that is smaller or less deeply nested: checking this one against the \
             alternatives, patterns and unique items of the schema could take too long",
        )
    }

    pub(crate) fn unexplained(value: &Value) -> Self {
        Self::limit(
            value,
            "a value that matches the schema; this one does not, and is too large to list why",
        )
    }
}

/// Turns errors into at most [`VIOLATIONS`] violations, each place and reason once.
pub(crate) fn collect<'a>(errors: impl Iterator<Item = ValidationError<'a>>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for error in errors {
        push(&error, &mut violations);
        if violations.len() >= VIOLATIONS {
            violations.truncate(VIOLATIONS);
            break;
        }
    }
    violations
}

fn push(error: &ValidationError<'_>, violations: &mut Vec<Violation>) {
    let path = error.instance_path().as_str();
    let violation = Violation::new(path, error.kind().keyword(), &expected(error), found(error));
    if !violations.contains(&violation) {
        violations.push(violation);
    }
    if violations.len() < VIOLATIONS
        && let Some(branch) = nearest(error)
    {
        for error in branch.iter().take(NEAREST) {
            push(error, violations);
        }
    }
}

/// What is wrong with a schema, from an error against the draft's own schema.
pub(crate) fn describe(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Custom { message, .. } => shorten(message, EXPECTED),
        Kind::Referencing(error) => shorten(&error.to_string(), EXPECTED),
        _ => {
            let mut deepest = error;
            while let Some(inner) = nearest(deepest).and_then(<[_]>::first) {
                deepest = inner;
            }
            format!("expected {}, found {}", expected(deepest), found(deepest))
        }
    }
}

/// The errors of the alternative that came nearest: the one whose first fault lies deepest, and of
/// those the one with fewest faults. An alternative that a `const` or `enum` rules out, such as
/// another event's name, comes last.
fn nearest<'e>(error: &'e ValidationError<'_>) -> Option<&'e [ValidationError<'static>]> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let rank = |branch: &&Vec<ValidationError<'static>>| {
        let ruled_out = branch
            .iter()
            .filter(|error| matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. }))
            .count();
        let depth =
            |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
        let shallowest = branch.iter().map(depth).min().unwrap_or(0);
        (ruled_out, std::cmp::Reverse(shallowest), branch.len())
    };
    context.iter().filter(|branch| !branch.is_empty()).min_by_key(rank).map(Vec::as_slice)
}

fn found(error: &ValidationError<'_>) -> String {
    let value = error.instance();
    match error.kind() {
        Kind::Required { .. } => match &**value {
            Value::Object(map) if map.is_empty() => "an object without properties".to_owned(),
            Value::Object(map) => names("an object with ", map.keys().map(String::as_str)),
            other => outline(other),
        },
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            names("the properties ", unexpected.iter().map(String::as_str))
        }
        Kind::MinProperties { .. } | Kind::MaxProperties { .. } => {
            format!("{} properties", value.as_object().map_or(0, serde_json::Map::len))
        }
        Kind::MinItems { .. } | Kind::MaxItems { .. } | Kind::AdditionalItems { .. } => {
            format!("{} items", value.as_array().map_or(0, Vec::len))
        }
        Kind::MinLength { .. } | Kind::MaxLength { .. } => {
            format!("{} characters", value.as_str().map_or(0, |text| text.chars().count()))
        }
        _ => outline(value),
    }
}

fn names<'a>(lead: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut text = lead.to_owned();
    for (index, name) in names.enumerate() {
        text.push_str(if index == 0 { "'" } else { ", '" });
        text.push_str(&shorten(name, 60));
        text.push('\'');
        if text.len() > 2 * FOUND {
            break;
        }
    }
    shorten(&text, FOUND)
}

/// The value itself when it is short, otherwise its type and size.
pub(crate) fn outline(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() > FOUND => {
            let total = text.chars().count();
            format!("a string of {total} characters: \"{}\"", shorten(text, 60).escape_default())
        }
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::Object(map) => format!("an object with {} properties", map.len()),
        other => other.to_string(),
    }
    .chars()
    .take(FOUND)
    .collect()
}

fn list(value: &Value) -> String {
    let Value::Array(items) = value else { return brief(value) };
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&brief(item));
        if text.len() > EXPECTED {
            break;
        }
    }
    text
}

fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => shorten(text, 80),
        Value::Array(_) | Value::Object(_) => outline(value),
        other => other.to_string(),
    }
}

fn expected(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type { kind: TypeKind::Single(kind) } => kind.as_str().to_owned(),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            kinds.iter().map(jsonschema::JsonType::as_str).collect::<Vec<_>>().join(" or ")
        }
        Kind::Required { property } => format!("required property '{}'", brief(property)),
        Kind::Enum { options } => format!("one of: {}", list(options)),
        Kind::Constant { expected_value } => format!("the constant {}", brief(expected_value)),
        Kind::Format { format } => format!("a string in the format {format}"),
        Kind::Pattern { pattern } => format!("a string that matches the pattern {pattern}"),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::Minimum { limit } => format!("a number of at least {limit}"),
        Kind::Maximum { limit } => format!("a number of at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("a number greater than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("a number less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinItems { limit } => format!("at least {limit} items"),
        Kind::MaxItems { limit } => format!("at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("at most {limit} items"),
        Kind::MinProperties { limit } => format!("at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("at most {limit} properties"),
        Kind::UniqueItems => "items that all differ".to_owned(),
        Kind::Contains => "an item that matches the schema in contains".to_owned(),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "only the properties that the schema names".to_owned()
        }
        Kind::UnevaluatedItems { .. } => "only the items that the schema describes".to_owned(),
        Kind::FalseSchema => "nothing: the schema allows no value here".to_owned(),
        Kind::Not { .. } => "a value that does not match the schema in not".to_owned(),
        Kind::PropertyNames { error } => format!("property names that are {}", expected(error)),
        Kind::AnyOf { context } => format!("a match for one of {} alternatives", context.len()),
        Kind::OneOfNotValid { context } => {
            format!("a match for exactly one of {} alternatives; none matches", context.len())
        }
        Kind::OneOfMultipleValid { context } => {
            format!("a match for exactly one of {} alternatives; several match", context.len())
        }
        Kind::ContentEncoding { content_encoding } => format!("text in {content_encoding}"),
        Kind::ContentMediaType { content_media_type } => format!("text of {content_media_type}"),
        Kind::FromUtf8 { .. } => "text whose content is UTF-8".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "a string that the pattern can be matched against".to_owned()
        }
        Kind::Custom { message, .. } => message.clone(),
        Kind::Referencing(_) => "a reference that can be resolved".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outlines_are_short() {
        assert_eq!(outline(&json!("a")), "\"a\"");
        assert_eq!(outline(&json!([1, 2])), "an array of 2 items");
        assert!(outline(&json!("ä".repeat(500))).chars().count() <= FOUND);
    }
}
