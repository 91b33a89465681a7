//! The schema as a graph: one node for each schema in it, edges for where keywords lead.
//!
//! Every rule that needs to know what is a schema and what is data (a `$ref` inside `enum` is data)
//! reads it from here. Built without recursion.

use std::collections::{HashMap, HashSet};

use jsonschema::Draft;
use serde_json::{Map, Value};

use crate::error::SchemaError;
use crate::limits::PATTERNS;
use crate::pattern;
use crate::reference::{Target, parse, push_token, shorten, type_name};

/// How a schema applies another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// To the same value (`allOf`, `$ref`, `if` ...).
    InPlace,
    /// To the property of this name.
    Property(&'a str),
    /// To properties that a pattern selects, or to those that are left over, or to names.
    Properties,
    /// To the array item at this position.
    Prefix(usize),
    /// To several array items.
    Items,
    /// Not at all: it only lies there (`$defs`).
    Definition,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge<'a> {
    pub(crate) to: usize,
    pub(crate) kind: Kind<'a>,
    /// The edge is a reference.
    pub(crate) reference: bool,
    /// Applied once more to find out what has been evaluated (`contains`, `unevaluated*`).
    pub(crate) marking: bool,
}

#[derive(Debug, Clone, Copy)]
enum Key<'a> {
    None,
    Name(&'a str),
    Index(usize),
}

/// Where a schema stands; paths are rendered only for errors, as long keys would make them large.
#[derive(Debug, Clone)]
enum Origin<'a> {
    Child { parent: usize, keyword: &'a str, key: Key<'a> },
    Pointer(String),
}

#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    origin: Origin<'a>,
    pub(crate) edges: Vec<Edge<'a>>,
    /// Sixteenths of a step for each byte of a string, from `pattern` alone.
    pub(crate) pattern_cost: u64,
    /// The same for each byte of a property name, from `patternProperties`.
    pub(crate) name_cost: u64,
}

#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) draft: Draft,
    root: &'a Value,
    by_address: HashMap<usize, usize>,
    anchors: HashMap<&'a str, usize>,
    patterns: HashMap<&'a str, u64>,
}

/// The draft that `$schema` names, if it is one of the three supported ones.
fn draft_of(dialect: &Value) -> Option<Draft> {
    let uri = dialect.as_str()?;
    match uri.strip_suffix('#').unwrap_or(uri) {
        "https://json-schema.org/draft/2020-12/schema" => Some(Draft::Draft202012),
        "https://json-schema.org/draft/2019-09/schema" => Some(Draft::Draft201909),
        "http://json-schema.org/draft-07/schema" => Some(Draft::Draft7),
        _ => None,
    }
}

fn unsupported_draft(path: String, found: &Value) -> SchemaError {
    SchemaError::UnsupportedDraft { path, found: shorten(&found.to_string(), 120) }
}

impl<'a> Graph<'a> {
    /// Walks the whole document, resolves its references and checks its patterns.
    pub(crate) fn build(root: &'a Value) -> Result<Self, SchemaError> {
        let draft = match root.get("$schema") {
            None => Draft::Draft202012,
            Some(dialect) => draft_of(dialect)
                .ok_or_else(|| unsupported_draft("/$schema".to_owned(), dialect))?,
        };
        let mut graph = Self {
            nodes: Vec::new(),
            draft,
            root,
            by_address: HashMap::new(),
            anchors: HashMap::new(),
            patterns: HashMap::new(),
        };
        graph.add(root, Origin::Pointer(String::new()))?;
        let mut references = Vec::new();
        let mut done = 0;
        loop {
            while done < graph.nodes.len() {
                graph.expand(done, &mut references)?;
                done += 1;
            }
            // A target outside the known places for schemas is a new node, with references of its own.
            let pending = std::mem::take(&mut references);
            if pending.is_empty() {
                return Ok(graph);
            }
            for (from, keyword, text) in pending {
                let to = graph.resolve(from, keyword, text)?;
                graph.nodes[from].edges.push(Edge {
                    to,
                    kind: Kind::InPlace,
                    reference: true,
                    marking: false,
                });
            }
        }
    }

    /// JSON pointer to a node for an error, shortened.
    pub(crate) fn path(&self, node: usize) -> String {
        shorten(&self.pointer(node), 512)
    }

    /// JSON pointer to a node.
    pub(crate) fn pointer(&self, node: usize) -> String {
        let mut parts = Vec::new();
        let mut at = node;
        let mut pointer = loop {
            match &self.nodes[at].origin {
                Origin::Pointer(pointer) => break pointer.clone(),
                Origin::Child { parent, keyword, key } => {
                    parts.push((*keyword, *key));
                    at = *parent;
                }
            }
        };
        for (keyword, key) in parts.into_iter().rev() {
            push_token(&mut pointer, keyword);
            match key {
                Key::None => {}
                Key::Name(name) => push_token(&mut pointer, name),
                Key::Index(index) => push_token(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }

    /// The node of the schema that a JSON pointer names.
    pub(crate) fn at(&self, pointer: &str) -> Option<usize> {
        let value = self.root.pointer(pointer)?;
        self.by_address.get(&address(value)).copied()
    }

    fn path_to(&self, node: usize, keyword: &str) -> String {
        let mut path = self.path(node);
        push_token(&mut path, keyword);
        path
    }

    fn add(&mut self, value: &'a Value, origin: Origin<'a>) -> Result<usize, SchemaError> {
        if let Some(&known) = self.by_address.get(&address(value)) {
            return Ok(known);
        }
        let index = self.nodes.len();
        let node = Node { value, origin, edges: Vec::new(), pattern_cost: 0, name_cost: 0 };
        self.nodes.push(node);
        self.by_address.insert(address(value), index);
        if value.is_object() || value.is_boolean() {
            Ok(index)
        } else {
            Err(SchemaError::NotASchema { path: self.path(index), found: type_name(value) })
        }
    }

    fn expand(
        &mut self,
        node: usize,
        references: &mut Vec<(usize, &'a str, &'a str)>,
    ) -> Result<(), SchemaError> {
        let Value::Object(map) = self.nodes[node].value else { return Ok(()) };
        self.check_identity(node, map)?;
        // In draft-07 everything beside a $ref is ignored.
        let only_reference = self.draft == Draft::Draft7 && map.contains_key("$ref");
        for (keyword, value) in map {
            match (keyword.as_str(), value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(text)) => {
                    references.push((node, keyword, text));
                }
                ("pattern", Value::String(text)) => {
                    let cost = self.check_pattern(node, "pattern", text)?;
                    self.nodes[node].pattern_cost = cost;
                }
                _ => self.expand_keyword(node, keyword, value, only_reference)?,
            }
        }
        Ok(())
    }

    fn expand_keyword(
        &mut self,
        node: usize,
        keyword: &'a str,
        value: &'a Value,
        only_reference: bool,
    ) -> Result<(), SchemaError> {
        let applied = |kind| if only_reference { Kind::Definition } else { kind };
        match (keyword, value) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.link(node, keyword, Key::Index(index), item, applied(Kind::InPlace))?;
                }
            }
            ("not" | "if" | "then" | "else", _) => {
                self.link(node, keyword, Key::None, value, applied(Kind::InPlace))?;
            }
            ("dependentSchemas" | "dependencies", Value::Object(map)) => {
                // `dependencies` also takes lists of names, which are no schemas.
                for (name, item) in map.iter().filter(|(_, item)| !item.is_array()) {
                    self.link(node, keyword, Key::Name(name), item, applied(Kind::InPlace))?;
                }
            }
            ("properties", Value::Object(map)) => {
                for (name, item) in map {
                    let kind = applied(Kind::Property(name));
                    self.link(node, keyword, Key::Name(name), item, kind)?;
                }
            }
            ("patternProperties", Value::Object(map)) => {
                for (name, item) in map {
                    self.nodes[node].name_cost += self.check_pattern(node, keyword, name)?;
                    self.link(node, keyword, Key::Name(name), item, applied(Kind::Properties))?;
                }
            }
            ("additionalProperties" | "unevaluatedProperties" | "propertyNames", _) => {
                self.link(node, keyword, Key::None, value, applied(Kind::Properties))?;
            }
            ("items" | "prefixItems", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let kind = applied(Kind::Prefix(index));
                    self.link(node, keyword, Key::Index(index), item, kind)?;
                }
            }
            ("items" | "additionalItems" | "contains" | "unevaluatedItems", _) => {
                self.link(node, keyword, Key::None, value, applied(Kind::Items))?;
            }
            ("$defs" | "definitions", Value::Object(map)) => {
                for (name, item) in map {
                    self.link(node, keyword, Key::Name(name), item, Kind::Definition)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn link(
        &mut self,
        parent: usize,
        keyword: &'a str,
        key: Key<'a>,
        value: &'a Value,
        kind: Kind<'a>,
    ) -> Result<(), SchemaError> {
        let to = self.add(value, Origin::Child { parent, keyword, key })?;
        let marking = matches!(keyword, "contains" | "unevaluatedItems" | "unevaluatedProperties");
        self.nodes[parent].edges.push(Edge { to, kind, reference: false, marking });
        Ok(())
    }

    fn check_pattern(
        &mut self,
        node: usize,
        keyword: &str,
        text: &'a str,
    ) -> Result<u64, SchemaError> {
        if let Some(&cost) = self.patterns.get(text) {
            return Ok(cost);
        }
        if self.patterns.len() == PATTERNS {
            return Err(SchemaError::TooManyPatterns { path: self.path_to(node, keyword) });
        }
        let cost = pattern::check(|| self.path_to(node, keyword), text)?;
        self.patterns.insert(text, cost);
        Ok(cost)
    }

    /// `$id`, `$schema` and anchors of one schema.
    fn check_identity(
        &mut self,
        node: usize,
        map: &'a Map<String, Value>,
    ) -> Result<(), SchemaError> {
        let mut anchors = HashSet::new();
        if node != 0 {
            // Bundlers leave $schema in the parts they put together.
            if let Some(dialect) = map.get("$schema").filter(|it| draft_of(it) != Some(self.draft))
            {
                return Err(unsupported_draft(self.path_to(node, "$schema"), dialect));
            }
            match map.get("$id").and_then(Value::as_str) {
                None => {}
                Some(id) if self.draft == Draft::Draft7 && id.starts_with('#') => {
                    anchors.insert(&id[1..]);
                }
                Some(_) => return Err(SchemaError::NestedId { path: self.path_to(node, "$id") }),
            }
        }
        if self.draft != Draft::Draft7 {
            anchors.extend(map.get("$anchor").and_then(Value::as_str));
            anchors.extend(map.get("$dynamicAnchor").and_then(Value::as_str));
        }
        for anchor in anchors {
            if self.anchors.insert(anchor, node).is_some() {
                let message = format!("the anchor {} exists twice", shorten(anchor, 80));
                return Err(SchemaError::Invalid { path: self.path(node), message });
            }
        }
        Ok(())
    }

    fn resolve(&mut self, from: usize, keyword: &str, text: &'a str) -> Result<usize, SchemaError> {
        let id = self.root.get("$id").and_then(Value::as_str);
        let reference = || shorten(text, 120);
        let found = match parse(text, id) {
            Target::Remote => {
                let path = self.path_to(from, keyword);
                return Err(SchemaError::RemoteReference { path, reference: reference() });
            }
            Target::Anchor(name) => {
                return self.anchors.get(name.as_str()).copied().ok_or_else(|| {
                    SchemaError::UnresolvedReference {
                        path: self.path_to(from, keyword),
                        reference: reference(),
                    }
                });
            }
            Target::Pointer(pointer) => self.root.pointer(&pointer).map(|value| (value, pointer)),
        };
        match found {
            Some((value, pointer)) => self.add(value, Origin::Pointer(pointer)),
            None => Err(SchemaError::UnresolvedReference {
                path: self.path_to(from, keyword),
                reference: reference(),
            }),
        }
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}
