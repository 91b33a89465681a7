//! Values as outcomes and faults show them: shortened, so that an entry stays small.

use serde_json::Value;

use crate::limits::SHOWN_CHARS;

/// `text`, cut after [`SHOWN_CHARS`] characters.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A value as compact JSON; of an array or object only the kind and size. A text is cut before it is
/// rendered, so that the cost does not depend on its length.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => Value::String(shorten(text)).to_string(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        scalar => scalar.to_string(),
    }
}

/// The JSON type of a value, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
