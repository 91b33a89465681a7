//! Rules and evidence made to cost time or memory: each is answered, and within the limits.

use deed_gate::{Outcome, Result, Rules, Tolerances};
use serde_json::{Map, Value, json};

use crate::outcomes::rules;

/// The largest set of rules: 64 times this mapping.
fn fill(mapping: &Value) -> Rules {
    let copies = (0..64).map(|n| {
        let mut copy = mapping.clone();
        copy["name"] = json!(n.to_string());
        copy
    });
    rules(&json!({ "mappings": copies.collect::<Vec<_>>() }))
}

fn everywhere(value: &Value) -> Value {
    json!({ "c": value, "e": value })
}

fn size(outcome: &Outcome) -> usize {
    serde_json::to_vec(outcome).expect("an outcome is JSON").len()
}

#[test]
fn huge_exponents_are_refused_unread() {
    let rules = fill(&json!({ "name": "", "type": "number", "criteria": "/c", "evidence": "/e" }));
    for text in [
        "1e999999999999999999",
        "1e-999999999999999999",
        "9e2147483647",
        "1e9223372036854775807",
        "1e-9223372036854775808",
        "0.1e-401",
        "1e400000000",
    ] {
        let document = everywhere(&json!(text));
        let outcome = rules.evaluate(&document, &document, Tolerances::Dispute);
        assert!(outcome.mappings.iter().all(|mapping| mapping.result == Result::Error), "{text}");
    }
    // The largest numbers that are read cost only their digits.
    for (one, other) in [("1e400", "1e-400"), ("-9.9e399", "9.9e399"), ("1e-400", "2e-400")] {
        let outcome = rules.evaluate(
            &everywhere(&json!(one)),
            &everywhere(&json!(other)),
            Tolerances::Configured,
        );
        assert!(outcome.mappings.iter().all(|mapping| mapping.result == Result::Fail));
    }
}

#[test]
fn the_costliest_arithmetic_stays_within_its_bounds() {
    // The longest numbers, multiplied until the bound on results, in the longest expression.
    let number = format!("{}e-31", "9".repeat(63));
    let document = everywhere(&json!(number));
    let term = "number(evidence('/e'))*number(criteria('/c'))";
    let mut expression = term.to_owned();
    while expression.len() + term.len() + 5 < 2048 {
        expression = format!("{expression}+{term}");
    }
    expression.push_str("< 0");
    let rules = fill(&json!({ "name": "", "type": "expression", "expression": expression }));
    let outcome = rules.evaluate(&document, &document, Tolerances::Configured);
    assert!(outcome.mappings.iter().all(|mapping| mapping.result == Result::Fail));
    let powers = vec!["number(evidence('/e'))"; 80].join("*");
    let rules =
        fill(&json!({ "name": "", "type": "expression", "expression": format!("{powers}>0") }));
    let outcome = rules.evaluate(&document, &document, Tolerances::Configured);
    assert!(outcome.mappings.iter().all(|mapping| mapping.result == Result::Error));
}

#[test]
fn long_texts_do_not_reach_the_outcome() {
    let long = "é".repeat(500_000);
    for value in [
        json!(long),
        json!({ "amount": long, "currency": long }),
        json!([long]),
        json!(vec![long.clone(); 3]),
    ] {
        for mapping in [
            json!({ "type": "number" }),
            json!({ "type": "denomination" }),
            json!({ "type": "string" }),
            json!({ "type": "string", "comparison": "oneOf" }),
            json!({ "type": "string", "comparison": "caseInsensitive" }),
            json!({ "type": "datetime" }),
            json!({ "type": "boolean" }),
        ] {
            let mut mapping = mapping;
            mapping["criteria"] = json!("/c");
            mapping["evidence"] = json!("/e");
            let document = everywhere(&value);
            let outcome = fill(&mapping).evaluate(&document, &document, Tolerances::Configured);
            assert!(!outcome.passed(), "{mapping}");
            assert!(size(&outcome) < 128 * 1024, "{mapping}: {}", size(&outcome));
        }
    }
}

#[test]
fn an_outcome_of_every_limit_fits_an_entry() {
    // Eight long pointers to long texts in each of 64 expressions.
    let mut document = Map::new();
    let read: Vec<String> = (0..8)
        .map(|n| {
            let key = format!("{n}{}", "k".repeat(200));
            document.insert(key.clone(), json!("é".repeat(10_000)));
            format!("evidence('/{key}')!='a'")
        })
        .collect();
    let rules = fill(&json!({ "name": "", "type": "expression", "expression": read.join("&&") }));
    let outcome = rules.evaluate(&Value::Null, &document.into(), Tolerances::Configured);
    assert!(outcome.passed());
    assert!(size(&outcome) < 512 * 1024, "{}", size(&outcome));
}

#[test]
fn deep_values_are_walked_only_along_the_pointer() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep, deep_leaf()]);
    }
    let pointer = "/0".repeat(32);
    let mapping = json!({ "name": "", "type": "string", "criteria": pointer, "evidence": pointer });
    let outcome = fill(&mapping).evaluate(&deep, &deep, Tolerances::Configured);
    assert_eq!(outcome.mappings[0].found.as_deref(), Some("an array of 2"));
}

fn deep_leaf() -> Value {
    json!({ "a": "b" })
}

#[test]
fn pathological_expressions_are_refused_or_run() {
    for source in [
        "(".repeat(2048),
        "!".repeat(2048),
        "-".repeat(2048),
        "'".repeat(2047),
        "\\".repeat(2048),
        "1".repeat(2048),
        "has(".repeat(512),
        "abs(".repeat(512),
        "1+".repeat(1024),
        "&&".repeat(1024),
        ")".repeat(2048),
        "\u{0}".repeat(2048),
        "é".repeat(1024),
        "evidence('".to_owned() + &"/".repeat(2000),
        "e".repeat(2048),
        "1e".repeat(1024),
        "1e+".repeat(600),
        "true&&".repeat(341),
        "\u{202e}true".to_owned(),
    ] {
        let config =
            json!({ "mappings": [{ "name": "m", "type": "expression", "expression": source }] });
        let faults = Rules::parse(&config).err().unwrap_or_else(|| panic!("accepted: {source}"));
        assert_eq!(faults[0].path, "/mappings/0/expression");
        assert!(faults[0].to_string().len() < 1_200);
    }
}
