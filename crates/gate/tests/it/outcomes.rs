//! What rules say of criteria and evidence, type by type.

use deed_gate::{MappingOutcome, Outcome, Result, Rules, Tolerances};
use serde_json::{Value, json};

pub(crate) fn rules(config: &Value) -> Rules {
    Rules::parse(config).unwrap_or_else(|faults| panic!("{config}: {faults:?}"))
}

fn judge(mapping: Value, criteria: &Value, evidence: &Value, tolerances: Tolerances) -> Outcome {
    rules(&json!({ "mappings": [mapping] })).evaluate(criteria, evidence, tolerances)
}

/// One mapping from /c to /e, applied to one value each.
fn one(mut mapping: Value, expected: &Value, found: &Value) -> MappingOutcome {
    mapping["name"] = json!("m");
    if mapping["type"] != "expression" {
        mapping["criteria"] = json!("/c");
        mapping["evidence"] = json!("/e");
    }
    let (criteria, evidence) = (json!({ "c": expected }), json!({ "e": found }));
    judge(mapping, &criteria, &evidence, Tolerances::Configured).mappings.remove(0)
}

#[track_caller]
fn check(mapping: &Value, cases: &[(Value, Value, Result)]) {
    for (expected, found, result) in cases {
        let outcome = one(mapping.clone(), expected, found);
        assert_eq!(outcome.result, *result, "{mapping} {expected} {found}: {outcome:?}");
        assert_eq!(outcome.reason.is_none(), *result == Result::Pass);
    }
}

#[test]
fn numbers() {
    use Result::{Error, Fail, Pass};
    check(
        &json!({ "type": "number" }),
        &[
            (json!(1), json!(1.0), Pass),
            (json!(0.3), json!("0.3"), Pass),
            (json!("0.30000000000000000000000001"), json!(0.3), Fail),
            (json!("9007199254740993"), json!("9007199254740992"), Fail),
            (json!(1), json!(2), Fail),
            (json!(1), json!("one"), Error),
            (json!(null), json!(1), Error),
            (json!(1), json!([1]), Error),
            (json!("1e400"), json!("1e400"), Pass),
            (json!("1e401"), json!("1e401"), Error),
        ],
    );
    check(
        &json!({ "type": "number", "tolerance": { "absolute": "0.1" } }),
        &[
            (json!(1), json!(1.1), Pass),
            (json!(1), json!(0.9), Pass),
            (json!(1), json!("1.1000000000000000001"), Fail),
            (json!(1), json!(0.89), Fail),
            (json!("-1"), json!("-1.1"), Pass),
        ],
    );
    check(
        &json!({ "type": "number", "tolerance": { "percent": 5 } }),
        &[
            (json!(200), json!(210), Pass),
            (json!(200), json!(190), Pass),
            (json!(200), json!("210.000001"), Fail),
            (json!(-200), json!(-210), Pass),
            (json!(-200), json!(-211), Fail),
            (json!(0), json!(0), Pass),
            (json!(0), json!("1e-300"), Fail),
        ],
    );
    let at_most =
        json!({ "type": "number", "comparison": "atMost", "tolerance": { "percent": 10 } });
    check(
        &at_most,
        &[
            (json!(100), json!(110), Pass),
            (json!(100), json!(-5), Pass),
            (json!(100), json!(111), Fail),
            (json!(-100), json!(-90), Pass),
            (json!(-100), json!(-89), Fail),
        ],
    );
    check(
        &json!({ "type": "number", "comparison": "atLeast" }),
        &[
            (json!(3), json!(3), Pass),
            (json!(3), json!(1e300), Pass),
            (json!(3), json!("2.99999999999999999999"), Fail),
        ],
    );
}

#[test]
fn denominations() {
    use Result::{Error, Fail, Pass};
    let money = |amount: Value, currency: &str| json!({ "amount": amount, "currency": currency });
    check(
        &json!({ "type": "denomination", "tolerance": { "absolute": "0.01" } }),
        &[
            (money(json!("12.50"), "EUR"), money(json!(12.5), "EUR"), Pass),
            (money(json!("12.50"), "EUR"), money(json!("12.51"), "EUR"), Pass),
            (money(json!("12.50"), "EUR"), money(json!("12.511"), "EUR"), Fail),
            (money(json!("12.50"), "EUR"), money(json!("12.50"), "USD"), Fail),
            (money(json!("12.50"), "EUR"), money(json!("12.50"), "eur"), Error),
            (money(json!("12.50"), "EURO"), money(json!("12.50"), "EURO"), Error),
            (money(json!("12,50"), "EUR"), money(json!("12,50"), "EUR"), Error),
            (money(json!(null), "EUR"), money(json!(1), "EUR"), Error),
            (json!("12.50 EUR"), json!("12.50 EUR"), Error),
            (json!({ "amount": 1 }), money(json!(1), "EUR"), Error),
        ],
    );
    let outcome = one(
        json!({ "type": "denomination" }),
        &money(json!("12.50"), "EUR"),
        &money(json!(13), "USD"),
    );
    assert_eq!(outcome.expected.as_deref(), Some("12.5 EUR"));
    assert_eq!(outcome.found.as_deref(), Some("13 USD"));
    assert_eq!(outcome.reason.as_deref(), Some("the currencies differ"));
}

#[test]
fn texts() {
    use Result::{Error, Fail, Pass};
    check(
        &json!({ "type": "string" }),
        &[
            (json!("a"), json!("a"), Pass),
            (json!("a"), json!("A"), Fail),
            (json!("é"), json!("e\u{301}"), Fail),
            (json!(""), json!(""), Pass),
            (json!("1"), json!(1), Error),
        ],
    );
    check(
        &json!({ "type": "string", "comparison": "caseInsensitive" }),
        &[
            (json!("DHL Express"), json!("dhl EXPRESS"), Pass),
            (json!("ÄÖ"), json!("äö"), Pass),
            (json!("a"), json!("ab"), Fail),
        ],
    );
    check(
        &json!({ "type": "string", "comparison": "prefix" }),
        &[
            (json!("INV-"), json!("INV-7"), Pass),
            (json!("INV-"), json!("inv-7"), Fail),
            (json!("INV-7"), json!("INV-"), Fail),
        ],
    );
    check(
        &json!({ "type": "string", "comparison": "oneOf" }),
        &[
            (json!(["a", "b"]), json!("b"), Pass),
            (json!(["a", "b"]), json!("c"), Fail),
            (json!([]), json!("c"), Error),
            (json!(["a", 1]), json!("a"), Error),
            (json!("a"), json!("a"), Error),
            (json!(vec!["a"; 257]), json!("a"), Error),
        ],
    );
    let (fits, over) = ("x".repeat(65_536), "x".repeat(65_537));
    check(
        &json!({ "type": "string" }),
        &[(json!(fits), json!(fits), Pass), (json!(over), json!(over), Error)],
    );
}

#[test]
fn booleans() {
    use Result::{Error, Fail, Pass};
    check(
        &json!({ "type": "boolean" }),
        &[
            (json!(true), json!(true), Pass),
            (json!(false), json!(false), Pass),
            (json!(true), json!(false), Fail),
            (json!(true), json!("true"), Error),
            (json!(1), json!(true), Error),
        ],
    );
}

#[test]
fn instants() {
    use Result::{Error, Fail, Pass};
    let noon = || json!("2026-01-15T12:00:00Z");
    check(
        &json!({ "type": "datetime" }),
        &[
            (noon(), json!("2026-01-15T13:00:00+01:00"), Pass),
            (noon(), json!("2026-01-15T12:00:00.000000001Z"), Fail),
            (noon(), json!("2026-01-15"), Error),
            (noon(), json!(1_768_478_400), Error),
        ],
    );
    let grace = json!({ "graceSecondsBefore": 60, "graceSecondsAfter": 30 });
    check(
        &json!({ "type": "datetime", "tolerance": grace }),
        &[
            (noon(), json!("2026-01-15T12:00:30Z"), Pass),
            (noon(), json!("2026-01-15T12:00:30.001Z"), Fail),
            (noon(), json!("2026-01-15T11:59:00Z"), Pass),
            (noon(), json!("2026-01-15T11:58:59.999Z"), Fail),
        ],
    );
    let grace = json!({ "graceSecondsAfter": 3600 });
    check(
        &json!({ "type": "datetime", "comparison": "atMost", "tolerance": grace }),
        &[
            (noon(), json!("2026-01-15T13:00:00Z"), Pass),
            (noon(), json!("1999-01-15T13:00:00Z"), Pass),
            (noon(), json!("2026-01-15T13:00:01Z"), Fail),
        ],
    );
    check(
        &json!({ "type": "datetime", "comparison": "atLeast" }),
        &[
            (noon(), json!("2026-01-15T12:00:00Z"), Pass),
            (noon(), json!("2026-01-15T11:59:59Z"), Fail),
        ],
    );
}

#[test]
fn expressions() {
    use Result::{Error, Fail, Pass};
    let mapping = json!({
        "type": "expression", "expression": "evidence(\"/e\") * 100 <= criteria(\"/c\") * 105"
    });
    check(
        &mapping,
        &[
            (json!(100), json!(105), Pass),
            (json!(100), json!(105.01), Fail),
            (json!(100), json!("105"), Error),
        ],
    );
}

#[test]
fn what_is_missing_is_named() {
    let mapping = json!({ "name": "m", "type": "number", "criteria": "/a/b", "evidence": "/c" });
    let of = |criteria: Value, evidence: Value| {
        judge(mapping.clone(), &criteria, &evidence, Tolerances::Configured).mappings.remove(0)
    };
    let outcome = of(json!({}), json!({ "c": 1 }));
    assert_eq!(outcome.result, Result::Error);
    assert_eq!(outcome.reason.as_deref(), Some("the criteria have nothing at /a/b"));
    assert_eq!((outcome.expected, outcome.found.as_deref()), (None, Some("1")));
    let outcome = of(json!({ "a": { "b": 1 } }), json!({}));
    assert_eq!(outcome.reason.as_deref(), Some("the evidence has nothing at /c"));
}

#[test]
fn only_required_mappings_decide() {
    let mapping = |name: &str, required: bool| {
        json!({ "name": name, "type": "boolean", "criteria": format!("/{name}"),
            "evidence": format!("/{name}"), "required": required })
    };
    let rules = rules(&json!({ "mappings": [mapping("a", true), mapping("b", false)] }));
    let criteria = json!({ "a": true, "b": true });
    for (evidence, result, each) in [
        (json!({ "a": true, "b": true }), Result::Pass, [Result::Pass, Result::Pass]),
        (json!({ "a": true, "b": false }), Result::Pass, [Result::Pass, Result::Fail]),
        (json!({ "a": true }), Result::Pass, [Result::Pass, Result::Error]),
        (json!({ "a": false, "b": true }), Result::Fail, [Result::Fail, Result::Pass]),
        (json!({ "b": true }), Result::Error, [Result::Error, Result::Pass]),
    ] {
        let outcome = rules.evaluate(&criteria, &evidence, Tolerances::Configured);
        assert_eq!(outcome.result, result, "{evidence}");
        assert_eq!(outcome.passed(), result == Result::Pass);
        let found: Vec<Result> = outcome.mappings.iter().map(|mapping| mapping.result).collect();
        assert_eq!(found, each, "{evidence}");
    }
}

#[test]
fn a_failure_outweighs_what_could_not_be_judged() {
    let mapping = |name: &str| {
        json!({ "name": name, "type": "boolean", "criteria": format!("/{name}"),
            "evidence": format!("/{name}") })
    };
    let rules = rules(&json!({ "mappings": [mapping("a"), mapping("b")] }));
    let criteria = json!({ "a": true, "b": true });
    let of = |evidence| rules.evaluate(&criteria, &evidence, Tolerances::Configured).result;
    assert_eq!(of(json!({ "a": false })), Result::Fail);
    assert_eq!(of(json!({ "b": false })), Result::Fail);
    assert_eq!(of(json!({ "b": true })), Result::Error);
    assert_eq!(of(json!({})), Result::Error);
}

#[test]
fn a_dispute_uses_the_wider_tolerance() {
    let config = json!({
        "disputeTolerance": { "factor": 2 },
        "mappings": [
            { "name": "factor", "type": "number", "criteria": "/c", "evidence": "/e",
              "tolerance": { "percent": 5 } },
            { "name": "own", "type": "number", "criteria": "/c", "evidence": "/e",
              "tolerance": { "absolute": 1 }, "disputeTolerance": { "absolute": 20 } },
            { "name": "exact", "type": "number", "criteria": "/c", "evidence": "/e",
              "required": false }
        ]
    });
    let rules = rules(&config);
    let (criteria, evidence) = (json!({ "c": 100 }), json!({ "e": 110 }));
    let of = |tolerances| rules.evaluate(&criteria, &evidence, tolerances);
    let usual = of(Tolerances::Configured);
    assert_eq!(usual.result, Result::Fail);
    assert_eq!(usual.mappings[0].tolerance, json!({ "percent": "5" }));
    let wider = of(Tolerances::Dispute);
    assert_eq!(wider.result, Result::Pass);
    assert_eq!(wider.mappings[0].tolerance, json!({ "percent": "10" }));
    assert_eq!(wider.mappings[1].tolerance, json!({ "absolute": "20" }));
    assert_eq!(wider.mappings[2].result, Result::Fail, "no tolerance, nothing to widen");
}

#[test]
fn the_json_of_an_outcome() {
    let config = json!({ "mappings": [
        { "name": "due", "type": "datetime", "comparison": "atMost", "criteria": "/due",
          "evidence": "/at", "tolerance": { "graceSecondsAfter": 60 } },
        { "name": "signed", "type": "boolean", "criteria": "/sign", "evidence": "/signed" }
    ] });
    let criteria = json!({ "due": "2026-01-15T12:00:00Z", "sign": true });
    let evidence = json!({ "at": "2026-01-15T12:02:00Z" });
    let outcome = rules(&config).evaluate(&criteria, &evidence, Tolerances::Configured);
    assert_eq!(
        serde_json::to_value(&outcome).unwrap(),
        json!({
            "result": "FAIL",
            "tolerances": "configured",
            "engine": "deed-gate/1",
            "mappings": [
                { "name": "due", "type": "datetime", "required": true, "result": "FAIL",
                  "comparison": "atMost", "expected": "\"2026-01-15T12:00:00Z\"",
                  "found": "\"2026-01-15T12:02:00Z\"",
                  "tolerance": { "graceSecondsBefore": "0", "graceSecondsAfter": "60" },
                  "reason": "what was delivered is outside the tolerance" },
                { "name": "signed", "type": "boolean", "required": true, "result": "ERROR",
                  "expected": "true", "reason": "the evidence has nothing at /signed" }
            ]
        })
    );
}
