//! References within one document: RFC 6901 pointers, URI fragments and anchors.

use std::borrow::Cow;

/// Where a `$ref` points.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A JSON pointer from the root; empty for the root itself.
    Pointer(String),
    /// A plain-name fragment (`$anchor`, `$dynamicAnchor`, draft-07 `$id: "#name"`).
    Anchor(String),
    /// Outside the document.
    Remote,
}

/// Reads `reference` as of a document whose root `$id` is `id`.
pub(crate) fn parse(reference: &str, id: Option<&str>) -> Target {
    let local = id.and_then(|id| {
        let base = id.split('#').next().filter(|base| !base.is_empty())?;
        reference.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('#'))
    });
    let Some(fragment) = local.or(Some(reference)).map(|text| text.strip_prefix('#')) else {
        return Target::Remote;
    };
    match fragment {
        Some(text) => match percent_decode(text) {
            Some(text) if text.is_empty() || text.starts_with('/') => {
                Target::Pointer(text.into_owned())
            }
            Some(text) => Target::Anchor(text.into_owned()),
            None => Target::Remote,
        },
        None if local.is_some() => Target::Pointer(String::new()),
        None => Target::Remote,
    }
}

/// Decodes %XX (RFC 3986 section 2.1); `None` when the result is not UTF-8 or an escape is broken.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// Appends `/token` to a JSON pointer, escaped as RFC 6901 section 3 says.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// The first `limit` characters of `text`, with an ellipsis when some are left out.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// JSON type of a value, as schemas name it.
pub(crate) fn type_name(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_local_or_remote() {
        let pointer = |text: &str| Target::Pointer(text.to_owned());
        assert_eq!(parse("#", None), pointer(""));
        assert_eq!(parse("#/$defs/a%25b", None), pointer("/$defs/a%b"));
        assert_eq!(parse("#name", None), Target::Anchor("name".to_owned()));
        let id = Some("https://example.com/t.json#");
        assert_eq!(parse("https://example.com/t.json#/a", id), pointer("/a"));
        assert_eq!(parse("https://example.com/t.json", id), pointer(""));
        assert_eq!(parse("https://example.com/t.json2", id), Target::Remote);
        for remote in ["", "a.json", "/a", "file:///etc/passwd", "//host/a", "#%zz", "#%ff", "?#/a"]
        {
            assert_eq!(parse(remote, None), Target::Remote, "{remote}");
        }
    }

    #[test]
    fn tokens_are_escaped_and_texts_shortened() {
        let mut pointer = String::from("/a");
        push_token(&mut pointer, "b/~c");
        assert_eq!(pointer, "/a/b~1~0c");
        assert_eq!(shorten("äbcd", 4), "äbcd");
        assert_eq!(shorten("äbcde", 4), "äbc…");
    }
}
