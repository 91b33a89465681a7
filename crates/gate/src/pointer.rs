//! JSON Pointers (RFC 6901) into criteria and evidence.

use std::fmt;

use serde_json::Value;

use crate::limits::{POINTER_BYTES, POINTER_TOKENS};

/// A pointer whose syntax is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// What a pointer has to look like.
    pub(crate) const EXPECTED: &'static str = "a JSON Pointer (RFC 6901) like /lines/0/amount, \
        at most 512 bytes and 32 tokens";

    /// `None` when the text is not a pointer or over a limit.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let within = text.len() <= POINTER_BYTES && text.matches('/').count() <= POINTER_TOKENS;
        let begins_well = text.is_empty() || text.starts_with('/');
        let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        (within && begins_well && escaped).then(|| Self(text.to_owned()))
    }

    /// What it points at. Each token is one step down, so the cost is that of the pointer.
    pub(crate) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the whole document" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Pointer;

    #[test]
    fn syntax() {
        let longest = "/a".repeat(32);
        for good in ["", "/", "/a", "/a/0", "//", "/~0/~1", "/ä ö", &longest] {
            assert!(Pointer::parse(good).is_some(), "{good}");
        }
        let (deep, long) = ("/a".repeat(33), format!("/{}", "a".repeat(512)));
        for bad in ["a", "#/a", "/~", "/~2", "/a~", "~0", " /a", &deep, &long] {
            assert!(Pointer::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn resolution() {
        let value = json!({ "a": [1, { "b/c~d": 2 }], "": 3, "01": 4 });
        let at = |text: &str| Pointer::parse(text).unwrap().of(&value).cloned();
        assert_eq!(at("/a/1/b~1c~0d"), Some(json!(2)));
        assert_eq!(at("/"), Some(json!(3)));
        assert_eq!(at("/01"), Some(json!(4)));
        assert_eq!(at(""), Some(value.clone()));
        for nothing in ["/a/2", "/a/01", "/a/-", "/a/+1", "/b", "/a/0/x"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
    }
}
