//! Costs and stacks stay bounded, whatever the schema: measured in the estimated work and on threads
//! with 2 MiB of stack or less, never in time.

use deed_schema::{Compiled, SchemaError, limits};
use serde_json::{Map, Value, json};

fn on_small_stack<T: Send + 'static>(kib: usize, task: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(kib * 1024).spawn(task);
    thread.expect("a thread").join().expect("the task ends without a panic")
}

fn keyword_of_refusal(schema: &Value, value: &Value) -> String {
    let compiled = Compiled::compile(schema).unwrap_or_else(|error| panic!("{error}"));
    compiled.validate(value).expect_err("refused").remove(0).keyword
}

fn nested(levels: usize, leaf: Value, wrap: impl Fn(Value) -> Value) -> Value {
    (1..levels).fold(leaf, |inner, _| wrap(inner))
}

/// Definitions a0 to a{count - 1}, each made from the reference to the next; the last is `last`.
fn chain(count: usize, last: Value, link: impl Fn(Value) -> Value) -> Value {
    let mut definitions = Map::new();
    for index in 0..count {
        let next = json!({"$ref": format!("#/$defs/a{}", index + 1)});
        let schema = if index + 1 == count { last.clone() } else { link(next) };
        definitions.insert(format!("a{index}"), schema);
    }
    json!({"$ref": "#/$defs/a0", "$defs": definitions})
}

#[test]
fn alternatives_that_double_are_refused_at_compile_time() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let schema = chain(40, json!({"type": "string"}), |next| json!({keyword: [next, next]}));
        assert!(
            matches!(Compiled::compile(&schema), Err(SchemaError::TooComplex { .. })),
            "{keyword}"
        );
    }
    let schema = chain(40, json!({"type": "string"}), |next| json!({"if": next, "then": next}));
    assert!(matches!(Compiled::compile(&schema), Err(SchemaError::TooComplex { .. })));
    let small = chain(8, json!({"type": "string"}), |next| json!({"anyOf": [next, next]}));
    assert_eq!(Compiled::compile(&small).expect("small").validate(&json!("a")), Ok(()));
}

#[test]
fn alternatives_that_double_at_each_level_are_refused_for_deep_values_only() {
    for (keyword, wrap) in [("items", json!([0])), ("properties", json!({"a": 0}))] {
        let again = match keyword {
            "items" => json!({"items": {"$ref": "#"}}),
            _ => json!({"properties": {"a": {"$ref": "#"}}}),
        };
        let schema = json!({"oneOf": [again, {"allOf": [again, {"not": {"type": "null"}}]}]});
        let wrapped = |levels| {
            nested(levels, json!(null), |inner| match &wrap {
                Value::Array(_) => json!([inner]),
                _ => json!({"a": inner}),
            })
        };
        assert_eq!(keyword_of_refusal(&schema, &wrapped(60)), "deed:limit", "{keyword}");
        let compiled = Compiled::compile(&schema).expect("it compiles");
        let shallow = compiled.validate(&wrapped(4)).err().unwrap_or_default();
        assert!(shallow.iter().all(|violation| violation.keyword != "deed:limit"), "{keyword}");
    }
}

#[test]
fn wide_values_under_many_alternatives_are_refused() {
    let branches: Vec<Value> = (0..500).map(|n| json!({"const": n})).collect();
    let schema = json!({"items": {"anyOf": branches}});
    assert_eq!(keyword_of_refusal(&schema, &json!(vec![-1; 200_000])), "deed:limit");
    let compiled = Compiled::compile(&schema).expect("it compiles");
    assert_eq!(compiled.validate(&json!(vec![7; 1_000])), Ok(()));
}

#[test]
fn contains_and_unevaluated_are_counted() {
    let contains: Vec<Value> = (0..1_000).map(|n| json!({"contains": {"const": n}})).collect();
    let schema = json!({"allOf": contains});
    assert_eq!(keyword_of_refusal(&schema, &json!(vec![-1; 200_000])), "deed:limit");
    let schema = nested(
        10,
        json!({"properties": {"a": true}}),
        |inner| json!({"anyOf": [inner, inner], "unevaluatedProperties": false}),
    );
    assert!(matches!(Compiled::compile(&schema), Err(SchemaError::TooComplex { .. })));
}

#[test]
fn items_whose_hashes_can_collide_are_limited_in_number() {
    let schema = json!({"uniqueItems": true});
    let compiled = Compiled::compile(&schema).expect("it compiles");
    let strings: Value = (0..50_000).map(|n| json!(format!("{n}"))).collect();
    assert_eq!(compiled.validate(&strings), Ok(()));
    let objects: Value = (0..2_000).map(|n| json!({"n": n})).collect();
    assert_eq!(compiled.validate(&objects), Ok(()));
    let colliding: Value = (0..30_000_u64).map(|n| json!([u64::MAX - n % 1_000, [n]])).collect();
    assert_eq!(keyword_of_refusal(&schema, &colliding), "deed:limit");
    let integers: Value = (0..50_000_u64).map(|n| json!(u64::MAX - n)).collect();
    assert_eq!(keyword_of_refusal(&schema, &integers), "deed:limit");
}

#[test]
fn large_patterns_on_large_texts_are_refused() {
    let schema = json!({"pattern": "[01]*1[01]{800}x"});
    assert_eq!(keyword_of_refusal(&schema, &json!("01".repeat(500_000))), "deed:limit");
    let compiled = Compiled::compile(&json!({"pattern": "^[01]*$"})).expect("it compiles");
    assert_eq!(compiled.validate(&json!("01".repeat(500_000))), Ok(()));
}

#[test]
fn large_enumerations_are_counted() {
    let options: Vec<Value> = (0..40_000).map(|n| json!([n])).collect();
    let schema = json!({"items": {"enum": options}});
    assert_eq!(keyword_of_refusal(&schema, &json!(vec![json!([-1]); 10_000])), "deed:limit");
}

#[test]
fn values_deeper_than_the_limit_are_refused() {
    let compiled = Compiled::compile(&json!({"items": {"$ref": "#"}})).expect("it compiles");
    let lists = |levels| nested(levels, json!([]), |inner| json!([inner]));
    assert_eq!(compiled.validate(&lists(limits::DEPTH)), Ok(()));
    let violations = compiled.validate(&lists(limits::DEPTH + 1)).expect_err("too deep");
    assert_eq!(violations[0].keyword, "deed:limit");
}

#[test]
fn recursive_schemas_over_deep_values_fit_a_small_stack() {
    on_small_stack(2048, || {
        let link = |next: Value| json!({"allOf": [next]});
        let mut longest = chain(100, json!({"properties": {"a": {"$ref": "#"}}}), link);
        longest["type"] = json!("object");
        for (schema, in_branches) in [
            (json!({"type": "object", "properties": {"a": {"$ref": "#"}}}), false),
            (
                json!({"type": "object", "anyOf": [{"type": "null"}, {"properties": {"a": {"$ref": "#"}}}]}),
                true,
            ),
            (json!({"type": "object", "not": {"not": {"properties": {"a": {"$ref": "#"}}}}}), true),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": false}),
                false,
            ),
            (
                json!({"$dynamicAnchor": "n", "type": "object", "additionalProperties": {"$dynamicRef": "#n"}}),
                false,
            ),
            (longest, false),
        ] {
            let compiled =
                Compiled::compile(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
            let valid = nested(limits::DEPTH, json!({}), |inner| json!({"a": inner}));
            assert_eq!(compiled.validate(&valid), Ok(()), "{schema}");
            let invalid = nested(limits::DEPTH, json!([]), |inner| json!({"a": inner}));
            let violations = compiled.validate(&invalid).expect_err("the innermost is no object");
            let path = &violations[0].path;
            assert!(
                in_branches || path.matches('/').count() == limits::DEPTH - 1,
                "{schema} {path}"
            );
        }
    });
}

/// So much is left of a thread's stack for validation when a server calls it.
#[test]
fn what_runs_on_the_callers_stack_needs_little_of_it() {
    for (schema, levels) in [
        (json!({"type": "object", "properties": {"a": {"$ref": "#"}}}), 41),
        (json!({"anyOf": [{"allOf": [{"oneOf": [{"properties": {"a": {"$ref": "#"}}}]}]}]}), 17),
        (chain(20, json!({"type": "object"}), |next| json!({"not": {"not": next}})), 1),
    ] {
        on_small_stack(512, move || {
            let compiled = Compiled::compile(&schema).expect("it compiles");
            let value = nested(levels, json!({}), |inner| json!({"a": inner}));
            assert_eq!(compiled.validate(&value), Ok(()), "{schema}");
        });
    }
}

#[test]
fn long_chains_of_references_fit_a_small_stack() {
    on_small_stack(2048, || {
        let text = json!({"type": "string"});
        let schema = chain(20_000, text.clone(), |next| next);
        assert!(matches!(Compiled::compile(&schema), Err(SchemaError::TooComplex { .. })));
        let schema = chain(10_000, text.clone(), |next| json!({"properties": {"a": next}}));
        let compiled = Compiled::compile(&schema).unwrap_or_else(|error| panic!("{error}"));
        let value = nested(limits::DEPTH, json!({}), |inner| json!({"a": inner}));
        assert_eq!(compiled.validate(&value), Ok(()));
        drop(compiled);
        let schema = chain(200, text, |next| json!({"allOf": [next]}));
        let compiled = Compiled::compile(&schema);
        assert!(matches!(compiled, Err(SchemaError::TooComplex { .. })), "over the limit");
    });
}

#[test]
fn schemas_that_share_definitions_do_not_grow_when_compiled() {
    let schema =
        chain(60, json!({"type": "string"}), |next| json!({"properties": {"a": next, "b": next}}));
    let compiled = Compiled::compile(&schema).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(compiled.validate(&json!({"a": {"b": {"a": {}}}})), Ok(()));
}
