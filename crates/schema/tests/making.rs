//! Extracting definitions and making examples, and both on arbitrary schemas.

use deed_schema::{Compiled, SchemaError, example, extract};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn order() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {
            "order": {"properties": {"buyer": {"$ref": "#/definitions/a~1b%25"}}, "required": ["buyer"]},
            "a/b%": {"type": "object", "properties": {"boss": {"$ref": "#/definitions/a~1b%25"},
                "at": {"$ref": "#/definitions/dates/properties/at"}}},
            "dates": {"properties": {"at": {"type": "string", "format": "date"}}},
            "unused": {"$ref": "#/definitions/dates"}
        }
    })
}

#[test]
fn extracting_keeps_what_is_reached() {
    for pointer in ["/definitions/order", "#/definitions/order"] {
        let part = extract(&order(), pointer).expect("extracted");
        assert_eq!(part["$schema"], order()["$schema"]);
        let definitions = part["definitions"].as_object().expect("definitions");
        assert_eq!(definitions.keys().collect::<Vec<_>>(), ["a/b%", "dates", "order"]);
        let compiled = Compiled::compile(&part).expect("compiles");
        assert_eq!(compiled.validate(&json!({"buyer": {"boss": {"at": "2026-01-31"}}})), Ok(()));
        assert!(compiled.validate(&json!({"buyer": {"boss": {"at": "soon"}}})).is_err());
    }
    let part = extract(&order(), "/definitions/a~1b%").expect("a name that needs escapes");
    assert!(Compiled::compile(&part).expect("compiles").validate(&json!(1)).is_err());
}

#[test]
fn extracting_says_what_is_missing() {
    for pointer in ["/definitions/none", "/definitions", "", "definitions/order", "/$schema"] {
        let error = extract(&order(), pointer).expect_err("nothing there");
        assert!(matches!(error, SchemaError::UnresolvedReference { .. }), "{pointer} {error:?}");
    }
    let beyond = json!({"$defs": {"a": {"$ref": "#"}}});
    assert!(matches!(extract(&beyond, "/$defs/a"), Err(SchemaError::UnresolvedReference { .. })));
}

#[test]
fn examples_are_valid_and_telling() {
    for (schema, expected) in [
        (json!({"type": "string"}), json!("text")),
        (json!({"enum": ["b", "c"]}), json!("b")),
        (json!({"type": "integer", "minimum": 5, "multipleOf": 3}), json!(6)),
        (json!({"type": "number", "exclusiveMaximum": 0}), json!(-0.5)),
        (
            json!({"type": "string", "format": "uuid"}),
            json!("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
        ),
        (json!({"type": "string", "minLength": 6, "maxLength": 6}), json!("textxx")),
        (json!({"type": ["null", "boolean"]}), json!(true)),
        (json!({"type": "string", "default": 7, "const": "x"}), json!("x")),
        (json!({"type": "string", "examples": [7]}), json!("text")),
        (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!([1, 1])),
        (
            json!({"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}, "b": {}},
                   "$defs": {"a": {"allOf": [{"required": ["c"]}, {"properties": {"c": {"const": 1}}}]}}}),
            json!({"a": {"c": 1}}),
        ),
        (json!({"oneOf": [{"type": "string", "not": {}}, {"type": "null"}]}), json!(null)),
    ] {
        assert_eq!(example(&schema), Some(expected), "{schema}");
    }
}

#[test]
fn no_example_where_none_is_valid_or_none_is_finite() {
    assert_eq!(example(&json!(false)), None);
    assert_eq!(example(&json!({"type": "string", "minLength": 5, "maxLength": 4})), None);
    assert_eq!(example(&json!({"required": ["a"], "properties": {"a": {"$ref": "#"}}})), None);
    assert_eq!(example(&json!({"$ref": "https://example.com"})), None);
    assert_eq!(example(&json!({"type": "array", "minItems": 100_000})), None);
}

/// JSON that looks like a schema: known keywords, references to itself, and nonsense.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        Just(json!({"$ref": "#"})),
        Just(json!({"$ref": "#/$defs/a"})),
        Just(json!({"$dynamicRef": "#n"})),
        Just(json!({"$dynamicAnchor": "n"})),
        Just(json!({"type": "string"})),
        Just(json!({"pattern": "^a+$", "minLength": 1})),
        Just(json!({"enum": [1, "a", {}]})),
        Just(json!({"multipleOf": 1e-300})),
        Just(json!(null)),
        Just(json!("#")),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
    ];
    const KEYWORDS: [&str; 28] = [
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "properties",
        "items",
        "contains",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "dependentSchemas",
        "$defs",
        "prefixItems",
        "unevaluatedProperties",
        "unevaluatedItems",
        "type",
        "required",
        "enum",
        "uniqueItems",
        "minContains",
        "definitions",
        "dependencies",
        "$id",
        "$anchor",
        "format",
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array);
        let map = prop::collection::btree_map("[abn]", inner.clone(), 0..3)
            .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()));
        let value = prop_oneof![inner, list.clone(), map.clone()];
        let schema = prop::collection::btree_map(prop::sample::select(&KEYWORDS[..]), value, 0..4)
            .prop_map(|map| {
                Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            });
        prop_oneof![4 => schema, 1 => list, 1 => map]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands there as a schema: no panic, no overflow, and violations within the limits.
    #[test]
    fn arbitrary_schemas_are_handled(schema in schemas(), value in schemas()) {
        let mut values = vec![json!({"a": [{"a": [1, "a", null]}], "b": {"n": {}}}), value];
        values.extend(example(&schema));
        let _ = extract(&schema, "/$defs/a");
        match Compiled::compile(&schema) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(compiled) => for value in &values {
                if let Err(violations) = compiled.validate(value) {
                    prop_assert!((1..=20).contains(&violations.len()));
                    for violation in violations {
                        prop_assert!(violation.found.chars().count() <= 120);
                        prop_assert!(value.pointer(&violation.path).is_some(), "{}", violation.path);
                    }
                }
            }
        }
    }

    /// An extracted definition judges values as the whole document does.
    #[test]
    fn extracting_changes_no_judgement(a in schemas(), b in schemas(), value in schemas()) {
        let whole = json!({"$ref": "#/$defs/a", "$defs": {"a": a, "b": b, "n": true}});
        let (Ok(compiled), Ok(part)) = (Compiled::compile(&whole), extract(&whole, "/$defs/a")) else {
            return Ok(());
        };
        let part = Compiled::compile(&part).expect("a part of a schema that compiles");
        prop_assert_eq!(compiled.validate(&value).is_ok(), part.validate(&value).is_ok());
    }
}
