use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use crate::compiled::check_size;
use crate::error::SchemaError;
use crate::graph::Graph;
use crate::reference::shorten;

/// A self-contained schema for one definition of `schema`, with only the definitions it reaches.
///
/// `pointer` is a JSON pointer such as `/definitions/user` (a leading `#` is allowed) to something
/// under `definitions` or `$defs` at the root. The result keeps `$schema` and `$id` and refers to
/// the definition from its root, so every reference inside keeps its meaning. The large schema may
/// exceed no limit of its own, but its cost as a whole is not judged; the result is not compiled.
///
/// # Errors
/// [`SchemaError`] as for compiling, and [`SchemaError::UnresolvedReference`] when `pointer`, or a
/// reference it reaches, is not under `definitions` or `$defs`.
pub fn extract(schema: &Value, pointer: &str) -> Result<Value, SchemaError> {
    check_size(schema)?;
    let graph = Graph::build(schema)?;
    let pointer = pointer.strip_prefix('#').unwrap_or(pointer);
    let unresolved = |reference: &str| SchemaError::UnresolvedReference {
        path: String::new(),
        reference: shorten(reference, 120),
    };
    let start = graph.at(pointer).ok_or_else(|| unresolved(pointer))?;
    let mut kept = BTreeSet::new();
    let mut seen = HashSet::from([start]);
    let mut pending = vec![start];
    kept.insert(definition(schema, pointer).ok_or_else(|| unresolved(pointer))?);
    while let Some(node) = pending.pop() {
        for edge in &graph.nodes[node].edges {
            if edge.reference {
                let path = graph.pointer(edge.to);
                kept.insert(definition(schema, &path).ok_or_else(|| unresolved(&path))?);
            }
            if seen.insert(edge.to) {
                pending.push(edge.to);
            }
        }
    }
    Ok(assemble(schema, pointer, &kept))
}

/// The container (`$defs` or `definitions`) and name of the definition that holds `pointer`.
fn definition(schema: &Value, pointer: &str) -> Option<(&'static str, String)> {
    let mut tokens = pointer.split('/').skip(1);
    let container = match tokens.next()? {
        "$defs" => "$defs",
        "definitions" => "definitions",
        _ => return None,
    };
    let name = tokens.next()?.replace("~1", "/").replace("~0", "~");
    schema.get(container)?.get(&name)?;
    Some((container, name))
}

fn assemble(schema: &Value, pointer: &str, kept: &BTreeSet<(&'static str, String)>) -> Value {
    let mut root = Map::new();
    for keyword in ["$schema", "$id"] {
        if let Some(value) = schema.get(keyword) {
            root.insert(keyword.to_owned(), value.clone());
        }
    }
    root.insert("$ref".to_owned(), Value::String(format!("#{}", encode_fragment(pointer))));
    for (container, name) in kept {
        let definitions =
            root.entry((*container).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let value = schema.get(*container).and_then(|definitions| definitions.get(name));
        if let (Value::Object(definitions), Some(value)) = (definitions, value) {
            definitions.insert(name.clone(), value.clone());
        }
    }
    Value::Object(root)
}

/// Encodes a JSON pointer for use as a URI fragment (RFC 6901 section 6, RFC 3986 section 3.5).
fn encode_fragment(pointer: &str) -> String {
    let mut out = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
