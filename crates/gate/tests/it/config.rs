//! Which rules are accepted, and what is said of the others.

use deed_gate::{Fault, Rules};
use serde_json::{Value, json};

fn faults(config: &Value) -> Vec<Fault> {
    Rules::parse(config).err().unwrap_or_else(|| panic!("accepted: {config}"))
}

/// A valid number mapping with `changes`; a null removes.
fn mapping(changes: Value) -> Value {
    let mut mapping = json!({ "name": "m", "type": "number", "criteria": "/c", "evidence": "/e" });
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            mapping.as_object_mut().expect("an object").remove(name);
        } else {
            mapping[name] = value.clone();
        }
    }
    mapping
}

#[test]
fn each_fault_has_its_place() {
    for (changes, path, expected) in [
        (json!({ "name": null }), "/name", "1 to 100"),
        (json!({ "name": "" }), "/name", "1 to 100"),
        (json!({ "name": "ä".repeat(101) }), "/name", "1 to 100"),
        (json!({ "type": null }), "/type", "one of number, denomination"),
        (json!({ "type": "float" }), "/type", "one of number, denomination"),
        (json!({ "required": "yes" }), "/required", "true or false"),
        (json!({ "criteria": null }), "/criteria", "a JSON Pointer"),
        (json!({ "criteria": "c" }), "/criteria", "a JSON Pointer"),
        (json!({ "evidence": "/~2" }), "/evidence", "a JSON Pointer"),
        (json!({ "evidence": 7 }), "/evidence", "a JSON Pointer"),
        (json!({ "comparison": "about" }), "/comparison", "one of exact, atMost, atLeast"),
        (json!({ "tolerance": 5 }), "/tolerance", "an object"),
        (json!({ "tolerance": { "absolute": -1 } }), "/tolerance/absolute", "not negative"),
        (json!({ "tolerance": { "percent": "5%" } }), "/tolerance/percent", "not negative"),
        (json!({ "tolerance": { "percent": 1, "absolute": 1 } }), "/tolerance/percent", "either"),
        (
            json!({ "tolerance": { "graceSecondsAfter": 1 } }),
            "/tolerance/graceSecondsAfter",
            "one of",
        ),
        (json!({ "tolerence": {} }), "/tolerence", "one of the members name, required, type"),
        (json!({ "expression": "true" }), "/expression", "one of the members"),
        (
            json!({ "disputeTolerance": { "percent": 1 }, "tolerance": { "percent": 2 } }),
            "/disputeTolerance",
            "at least as wide",
        ),
        (
            json!({ "disputeTolerance": { "absolute": 1 }, "tolerance": { "percent": 1 } }),
            "/disputeTolerance",
            "same kind",
        ),
        (
            json!({ "type": "datetime", "tolerance": { "graceSecondsAfter": -1 } }),
            "/tolerance/graceSecondsAfter",
            "whole seconds",
        ),
        (
            json!({ "type": "datetime", "tolerance": { "graceSecondsAfter": 1.5 } }),
            "/tolerance/graceSecondsAfter",
            "whole seconds",
        ),
        (
            json!({ "type": "datetime", "tolerance": { "graceSecondsAfter": 31_622_401 } }),
            "/tolerance/graceSecondsAfter",
            "whole seconds",
        ),
        (
            json!({ "type": "datetime", "comparison": "atMost", "tolerance": { "graceSecondsBefore": 1 } }),
            "/tolerance/graceSecondsBefore",
            "only the grace",
        ),
        (
            json!({ "type": "datetime", "comparison": "atLeast", "tolerance": { "graceSecondsAfter": 1 } }),
            "/tolerance/graceSecondsAfter",
            "only the grace",
        ),
        (
            json!({ "type": "datetime", "tolerance": { "graceSecondsAfter": 9 },
            "disputeTolerance": { "graceSecondsBefore": 9 } }),
            "/disputeTolerance",
            "at least as wide",
        ),
        (
            json!({ "type": "string", "comparison": "atMost" }),
            "/comparison",
            "one of exact, caseIns",
        ),
        (json!({ "type": "string", "tolerance": {} }), "/tolerance", "one of the members"),
        (json!({ "type": "boolean", "comparison": "exact" }), "/comparison", "one of the members"),
        (json!({ "type": "expression" }), "/expression", "1 to 2048 bytes"),
        (
            json!({ "type": "expression", "expression": "1 +", "criteria": null, "evidence": null }),
            "/expression",
            "a value",
        ),
        (json!({ "type": "expression", "expression": "x".repeat(2049) }), "/expression", "2048"),
    ] {
        let found = faults(&json!({ "mappings": [mapping(changes.clone())] }));
        let path = format!("/mappings/0{path}");
        let fault = found.iter().find(|fault| fault.path == path);
        let fault = fault.unwrap_or_else(|| panic!("{changes}: nothing at {path}: {found:?}"));
        assert!(fault.expected.contains(expected), "{changes}: {fault}");
        assert!(!fault.found.is_empty());
    }
}

#[test]
fn the_rules_as_a_whole() {
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|n| mapping(json!({ "name": n.to_string() }))).collect()
    };
    assert!(Rules::parse(&json!({ "mappings": many(64) })).is_ok());
    for (config, path, expected) in [
        (json!([]), "", "an object"),
        (json!({}), "/mappings", "1 to 64"),
        (json!({ "mappings": [] }), "/mappings", "1 to 64"),
        (json!({ "mappings": many(65) }), "/mappings", "1 to 64"),
        (json!({ "mappings": [1] }), "/mappings/0", "an object"),
        (
            json!({ "mappings": [mapping(json!({})), mapping(json!({}))] }),
            "/mappings/1/name",
            "no other",
        ),
        (
            json!({ "mappings": [mapping(json!({ "required": false }))] }),
            "/mappings",
            "at least one required",
        ),
        (json!({ "mappings": many(1), "a/b": 1 }), "/a~1b", "one of the members"),
        (
            json!({ "mappings": many(1), "disputeTolerance": {} }),
            "/disputeTolerance/factor",
            "1 to 1000",
        ),
        (
            json!({ "mappings": many(1), "disputeTolerance": { "factor": "0.99" } }),
            "/disputeTolerance/factor",
            "1 to 1000",
        ),
        (
            json!({ "mappings": many(1), "disputeTolerance": { "factor": 1001 } }),
            "/disputeTolerance/factor",
            "1 to 1000",
        ),
    ] {
        let found = faults(&config);
        assert_eq!(found[0].path, path, "{found:?}");
        assert!(found[0].expected.contains(expected), "{found:?}");
    }
}

#[test]
fn faults_are_collected_and_bounded() {
    let bad = json!({ "name": "", "type": "number", "criteria": "c", "evidence": "e", "x": 1 });
    assert_eq!(faults(&json!({ "mappings": [bad] })).len(), 4);
    assert_eq!(faults(&json!({ "mappings": vec![bad.clone(); 64] })).len(), 20);
    let huge = json!({ "mappings": [mapping(json!({ "name": "x".repeat(100_000), "y": "z".repeat(100_000) }))] });
    for fault in faults(&huge) {
        assert!(fault.to_string().len() < 1_000, "{fault}");
    }
}
