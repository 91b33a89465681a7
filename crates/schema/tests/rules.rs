//! One test for each rule that a schema is held to, and what a violation says.

use deed_schema::{Compiled, SchemaError, Violation, limits};
use serde_json::{Value, json};

fn refused(schema: &Value) -> SchemaError {
    match Compiled::compile(schema) {
        Err(error) => {
            assert!(!error.hint().is_empty() && !error.to_string().is_empty());
            error
        }
        Ok(_) => panic!("compiled: {}", schema.to_string().chars().take(300).collect::<String>()),
    }
}

fn compiled(schema: &Value) -> Compiled {
    Compiled::compile(schema).unwrap_or_else(|error| panic!("{}: {error}", error.path()))
}

fn only_violation(schema: &Value, value: &Value) -> Violation {
    let mut violations = compiled(schema).validate(value).expect_err("the value is refused");
    assert_eq!(violations.len(), 1, "{violations:#?}");
    violations.remove(0)
}

#[test]
fn compiled_schemas_can_be_shared() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&compiled(&json!(true)));
}

#[test]
fn booleans_and_objects_are_schemas_and_nothing_else_is() {
    assert_eq!(compiled(&json!(true)).validate(&json!(1)), Ok(()));
    assert_eq!(only_violation(&json!(false), &json!(1)).keyword, "falseSchema");
    for other in [json!(1), json!("x"), json!(null), json!([])] {
        assert!(matches!(refused(&other), SchemaError::NotASchema { path, .. } if path.is_empty()));
    }
    let error = refused(&json!({"properties": {"a/b": {"items": 3}}}));
    assert_eq!(error.path(), "/properties/a~1b/items");
    let error = refused(&json!({"$ref": "#/enum/0", "enum": [7]}));
    assert!(matches!(error, SchemaError::NotASchema { path, .. } if path == "/enum/0"));
}

#[test]
fn the_three_drafts_are_taken_and_no_other() {
    for dialect in [
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema#",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-07/schema",
    ] {
        let schema = json!({"$schema": dialect, "type": "string"});
        assert!(compiled(&schema).validate(&json!(1)).is_err(), "{dialect}");
    }
    for dialect in [
        json!("http://json-schema.org/draft-06/schema#"),
        json!("http://json-schema.org/draft-04/schema#"),
        json!("https://example.com/meta"),
        json!(7),
    ] {
        let error = refused(&json!({"$schema": dialect}));
        assert!(matches!(error, SchemaError::UnsupportedDraft { .. }), "{error:?}");
        assert_eq!(error.path(), "/$schema");
        for draft in ["2020-12", "2019-09", "draft-07"] {
            assert!(error.hint().contains(draft));
        }
    }
    let nested = json!({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}});
    assert_eq!(refused(&nested).path(), "/items/$schema");
}

#[test]
fn drafts_differ_as_they_should() {
    let beside = |draft: &str| {
        json!({
            "$schema": draft, "$ref": "#/definitions/a", "maxLength": 1,
            "definitions": {"a": {"type": "string"}}
        })
    };
    let seven = compiled(&beside("http://json-schema.org/draft-07/schema#"));
    assert_eq!(seven.validate(&json!("ab")), Ok(()), "siblings of $ref are ignored");
    let newer = compiled(&beside("https://json-schema.org/draft/2019-09/schema"));
    assert!(newer.validate(&json!("ab")).is_err());
    let tuple = json!({"prefixItems": [{"type": "string"}], "items": false});
    assert!(compiled(&tuple).validate(&json!([1])).is_err(), "2020-12 is the default");
    let tuple = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "string"}], "additionalItems": false
    });
    assert!(compiled(&tuple).validate(&json!(["a", 1])).is_err());
}

#[test]
fn references_that_leave_the_document_are_refused_and_never_fetched() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("non-blocking");
    let port = server.local_addr().expect("an address").port();
    let file = std::env::temp_dir().join(format!("deed-schema-{}.json", std::process::id()));
    std::fs::write(&file, "true").expect("the file is written");
    let remote = [
        format!("http://127.0.0.1:{port}/schema.json"),
        format!("http://127.0.0.1:{port}/schema.json#/a"),
        format!("//127.0.0.1:{port}/schema.json"),
        format!("file://{}", file.display()),
        file.display().to_string(),
        "other.json#/a".to_owned(),
        "?a#/b".to_owned(),
        String::new(),
        "http://json-schema.org/draft-07/schema#".to_owned(),
        "urn:uuid:6f9619ff-8b86-4011-b42d-00c04fc964ff".to_owned(),
    ];
    for reference in remote {
        for schema in [
            json!({"$ref": reference}),
            json!({"$dynamicRef": reference}),
            json!({"$defs": {"unused": {"items": {"$ref": reference}}}}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "not": {"$ref": reference}}),
            json!({"$id": "https://example.com/base/", "properties": {"a": {"$ref": reference}}}),
        ] {
            let error = refused(&schema);
            assert!(matches!(error, SchemaError::RemoteReference { .. }), "{schema}: {error:?}");
            assert!(error.path().ends_with("ef"), "{}", error.path());
        }
        // As data it is no reference.
        let data = json!({"$id": reference, "const": {"$ref": reference}, "default": {"$ref": 1}});
        if let Ok(data) = Compiled::compile(&data) {
            assert_eq!(data.validate(&json!({"$ref": reference})), Ok(()));
        }
    }
    std::fs::remove_file(&file).expect("the file is removed");
    let accepted = server.accept();
    assert!(matches!(accepted, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
}

#[test]
fn ids_may_name_the_document_but_no_part_of_it() {
    let named = json!({
        "$id": "https://example.com/order.json",
        "properties": {"a": {"$ref": "https://example.com/order.json#/$defs/a"}, "b": {"$ref": "#a"}},
        "$defs": {"a": {"$anchor": "a", "type": "string"}}
    });
    let named = compiled(&named);
    assert_eq!(named.validate(&json!({"a": "x", "b": "x"})), Ok(()));
    assert!(named.validate(&json!({"a": 1})).is_err());
    assert!(named.validate(&json!({"b": 1})).is_err());
    let nested = json!({"$defs": {"a": {"$id": "https://example.com/a", "type": "string"}}});
    let error = refused(&nested);
    assert!(matches!(error, SchemaError::NestedId { .. }));
    assert_eq!(error.path(), "/$defs/a/$id");
    let property = json!({"properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}});
    assert!(compiled(&property).validate(&json!({"$id": 1})).is_err());
}

#[test]
fn references_to_nothing_are_refused() {
    for schema in [
        json!({"$ref": "#/$defs/missing"}),
        json!({"$ref": "#missing"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}}}),
    ] {
        assert!(matches!(refused(&schema), SchemaError::UnresolvedReference { .. }), "{schema}");
    }
}

#[test]
fn size_depth_and_nodes_are_limited() {
    let large = json!({"description": "x".repeat(limits::SCHEMA_BYTES)});
    assert_eq!(refused(&large), SchemaError::TooLarge);
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"not": inner}));
    assert!(Compiled::compile(&nested(limits::DEPTH)).is_ok());
    let error = refused(&nested(limits::DEPTH + 1));
    assert!(matches!(&error, SchemaError::TooDeep { path } if path.matches("/not").count() == 64));
    let list = json!({"enum": vec![0; limits::SCHEMA_NODES]});
    assert_eq!(refused(&list), SchemaError::TooManyNodes);
    let deep = (0..100_000).fold(json!([]), |inner, _| Value::Array(vec![inner]));
    assert!(matches!(refused(&deep), SchemaError::TooDeep { .. }));
    // Dropping so deep a value would itself overflow the stack.
    std::mem::forget(deep);
}

#[test]
fn patterns_are_linear_and_small() {
    let pattern = |text: &str| json!({"properties": {"a": {"pattern": text}}});
    let path = "/properties/a/pattern";
    let look = refused(&pattern("^(?!x).*$"));
    assert!(matches!(look, SchemaError::UnsupportedPattern { construct: "look-around", .. }));
    assert!(look.to_string().contains("not supported"));
    assert_eq!(look.path(), path);
    assert!(matches!(refused(&pattern(r"(a)\1")), SchemaError::UnsupportedPattern { .. }));
    assert!(matches!(refused(&pattern("(")), SchemaError::BadPattern { .. }));
    assert!(matches!(refused(&pattern("(a{999}){999}")), SchemaError::PatternTooLarge { .. }));
    let error = refused(&json!({"patternProperties": {"(?=a)": true}}));
    assert!(matches!(error, SchemaError::UnsupportedPattern { .. }));
    let many: Value = (0..=limits::PATTERNS).map(|n| json!({"pattern": format!("a{n}")})).collect();
    assert!(matches!(refused(&json!({"allOf": many})), SchemaError::TooManyPatterns { .. }));
    let classic = compiled(&json!({"pattern": "^(a+)+$"}));
    assert!(classic.validate(&json!("a".repeat(20_000) + "b")).is_err());
}

#[test]
fn reference_cycles_that_consume_nothing_are_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"anyOf": [{"type": "string"}, {"$ref": "#"}]}),
        json!({"oneOf": [{"$ref": "#"}]}),
        json!({"not": {"$ref": "#"}}),
        json!({"if": {"$ref": "#"}}),
        json!({"if": true, "then": {"$ref": "#"}}),
        json!({"if": true, "else": {"$ref": "#"}}),
        json!({"dependentSchemas": {"a": {"$ref": "#"}}}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": {"$ref": "#"}}}),
        json!({"$dynamicAnchor": "n", "allOf": [{"$dynamicRef": "#n"}]}),
        json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true,
               "anyOf": [{"$recursiveRef": "#"}]}),
        json!({"$anchor": "n", "allOf": [{"anyOf": [{"not": {"$ref": "#n"}}]}]}),
        json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a/allOf/0"}]}}, "$ref": "#/$defs/a"}),
    ] {
        assert!(matches!(refused(&schema), SchemaError::EndlessReference { .. }), "{schema}");
    }
}

#[test]
fn breaking_the_rules_of_the_draft_is_named() {
    let error = refused(&json!({"properties": {"a": {"type": "strin"}}}));
    assert!(matches!(error, SchemaError::Invalid { .. }));
    assert_eq!(error.path(), "/properties/a/type");
    assert!(error.to_string().contains("strin"), "{error}");
    for schema in [json!({"minLength": -1}), json!({"required": "a"}), json!({"allOf": []})] {
        assert!(matches!(refused(&schema), SchemaError::Invalid { .. }), "{schema}");
    }
    assert!(matches!(refused(&json!({"$ref": 7})), SchemaError::Invalid { .. }));
}

#[test]
fn violations_name_path_expected_and_found() {
    let schema = json!({
        "type": "object", "required": ["amount"], "additionalProperties": false,
        "properties": {
            "amount": {"type": "number", "minimum": 0},
            "kind": {"enum": ["a", "b"]},
            "tags/x": {"type": "array", "items": {"type": ["string", "null"]}, "maxItems": 2},
            "id": {"pattern": "^[a-z]+$", "minLength": 2}
        }
    });
    let violation = only_violation(&schema, &json!({}));
    assert_eq!(violation.expected, "required property 'amount'");
    assert_eq!((violation.path.as_str(), violation.keyword.as_str()), ("", "required"));
    assert_eq!(violation.found, "an object without properties");
    let violation = only_violation(&schema, &json!({"amount": "7"}));
    assert_eq!((violation.path.as_str(), violation.expected.as_str()), ("/amount", "number"));
    assert_eq!(violation.found, "\"7\"");
    assert_eq!(violation.message, "/amount: expected number, found \"7\"");
    let violation = only_violation(&schema, &json!({"amount": 1, "kind": "c"}));
    assert_eq!(violation.expected, "one of: a, b");
    let violation = only_violation(&schema, &json!({"amount": 1, "tags/x": [7]}));
    assert_eq!(violation.path, "/tags~1x/0");
    assert!(violation.expected.contains("string") && violation.expected.contains("null"));
    let violation = only_violation(&schema, &json!({"amount": 1, "tags/x": ["a", "a", "a"]}));
    assert_eq!(
        (violation.expected.as_str(), violation.found.as_str()),
        ("at most 2 items", "3 items")
    );
    let violation = only_violation(&schema, &json!({"amount": -1.5}));
    assert_eq!(violation.expected, "a number of at least 0");
    let violation = only_violation(&schema, &json!({"amount": 1, "more": true}));
    assert_eq!(violation.found, "the properties 'more'");
}

#[test]
fn at_most_twenty_short_violations() {
    let schema = json!({"items": {"type": "string", "enum": ["a"]}});
    let value: Value = (0..500).map(|n| json!(n)).collect();
    let violations = compiled(&schema).validate(&value).expect_err("all items are wrong");
    assert_eq!(violations.len(), limits::VIOLATIONS);
    let long = json!({"x".repeat(50_000): "y".repeat(50_000), "z": {"a": ["b".repeat(50_000)]}});
    for schema in [
        json!({"type": "string"}),
        json!({"additionalProperties": false}),
        json!({"required": ["q".repeat(50_000)]}),
        json!({"const": "c".repeat(50_000)}),
        json!({"enum": ["d".repeat(50_000), "e"]}),
        json!({"additionalProperties": {"maxLength": 3}}),
        json!({"propertyNames": {"maxLength": 3}}),
        json!({"anyOf": [{"type": "string"}, {"required": ["w"]}]}),
    ] {
        for violation in compiled(&schema).validate(&long).expect_err("refused") {
            assert!(violation.found.chars().count() <= 120, "{}", violation.found.len());
            assert!(violation.message.len() < 4_000, "{}", violation.message.len());
            assert!(violation.expected.chars().count() <= 400);
        }
    }
}

#[test]
fn the_nearest_alternative_is_explained() {
    let schema = json!({"oneOf": [
        {"properties": {"kind": {"const": "car"}, "wheels": {"type": "integer"}}, "required": ["kind", "wheels"]},
        {"properties": {"kind": {"const": "boat"}, "sails": {"type": "integer"}}, "required": ["kind", "sails"]}
    ]});
    let violations =
        compiled(&schema).validate(&json!({"kind": "boat", "sails": "two"})).expect_err("refused");
    assert_eq!(violations[0].keyword, "oneOf");
    assert_eq!(
        (violations[1].path.as_str(), violations[1].expected.as_str()),
        ("/sails", "integer")
    );
    assert_eq!(violations.len(), 2);
}

#[test]
fn formats_are_asserted_in_every_draft() {
    let cases = [
        ("date-time", "2026-01-31T09:30:00Z", "2026-01-31 09:30"),
        ("date", "2026-01-31", "2026-02-30"),
        ("email", "a@example.com", "a.example.com"),
        ("uri", "https://example.com/a", "not a uri"),
        ("uuid", "6f9619ff-8b86-4011-b42d-00c04fc964ff", "6f9619ff-8b86-d011-b42d"),
    ];
    for draft in [
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema#",
    ] {
        for (format, good, bad) in cases {
            let schema = json!({"$schema": draft, "format": format});
            assert_eq!(compiled(&schema).validate(&json!(good)), Ok(()), "{draft} {format}");
            assert_eq!(only_violation(&schema, &json!(bad)).keyword, "format", "{draft} {format}");
            assert_eq!(compiled(&schema).validate(&json!(7)), Ok(()), "only strings have formats");
        }
        for format in ["regex", "idn-email", "no-such-format"] {
            let schema = json!({"$schema": draft, "format": format});
            assert_eq!(compiled(&schema).validate(&json!("(")), Ok(()), "{format}");
        }
    }
}
