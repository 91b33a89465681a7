//! Properties that hold for any input, with arithmetic of fractions as the judge.

use deed_gate::{Result, Rules, Tolerances};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::outcomes::rules;

/// A decimal as digits and a power of ten.
#[derive(Debug, Clone)]
struct Number {
    digits: i128,
    exponent: i32,
}

impl Number {
    fn text(&self) -> String {
        format!("{}e{}", self.digits, self.exponent)
    }

    fn fraction(&self) -> BigRational {
        let power = BigInt::from(10).pow(self.exponent.unsigned_abs());
        let digits = BigInt::from(self.digits);
        if self.exponent < 0 {
            BigRational::new(digits, power)
        } else {
            BigRational::from_integer(digits * power)
        }
    }
}

/// Mostly near one another, so that comparisons are close; sometimes anything.
fn number() -> impl Strategy<Value = Number> {
    let near = (-2_000i128..2_000, -3i32..2);
    let any = (-10i128.pow(37)..10i128.pow(37), -350i32..350);
    prop_oneof![4 => near.boxed(), 1 => any.boxed()]
        .prop_map(|(digits, exponent)| Number { digits, exponent })
}

fn margin() -> impl Strategy<Value = Number> {
    number().prop_map(|number| Number { digits: number.digits.abs(), ..number })
}

fn verdict(mapping: &Value, expected: &Number, found: &Number, tolerances: Tolerances) -> Result {
    let rules = rules(&json!({ "mappings": [mapping] }));
    let (criteria, evidence) = (json!({ "c": expected.text() }), json!({ "e": found.text() }));
    rules.evaluate(&criteria, &evidence, tolerances).result
}

fn number_mapping(comparison: &str, kind: &str, margin: &Number) -> Value {
    json!({ "name": "m", "type": "number", "criteria": "/c", "evidence": "/e",
        "comparison": comparison, "tolerance": { (kind): margin.text() } })
}

/// What fractions say of a comparison.
fn oracle(
    comparison: &str,
    kind: &str,
    margin: &Number,
    expected: &Number,
    found: &Number,
) -> bool {
    let (expected, found, margin) = (expected.fraction(), found.fraction(), margin.fraction());
    let zero = BigRational::from_integer(0.into());
    let magnitude = if expected < zero { -expected.clone() } else { expected.clone() };
    let allowed = match kind {
        "percent" => magnitude * margin / BigRational::from_integer(100.into()),
        _ => margin,
    };
    let above = found - expected;
    let (not_over, not_under) = (above <= allowed, above >= -allowed);
    match comparison {
        "atMost" => not_over,
        "atLeast" => not_under,
        _ => not_over && not_under,
    }
}

/// An arithmetic expression as text, with its value.
fn arithmetic() -> impl Strategy<Value = (String, BigRational)> {
    let leaf = number().prop_map(|n| {
        let text = if n.digits < 0 { format!("({})", n.text()) } else { n.text() };
        (text, n.fraction())
    });
    leaf.prop_recursive(4, 12, 2, |inner| {
        (inner.clone(), inner, 0..4u8, any::<bool>()).prop_map(
            |((a, x), (b, y), operator, bare)| {
                let (text, value) = match operator {
                    0 => (format!("{a} + {b}"), x + y),
                    1 => (format!("{a} - ({b})"), x - y),
                    2 => (format!("({a}) * ({b})"), x * y),
                    _ => (format!("-({a}) + ({b})"), y - x),
                };
                // Sums need no parentheses when they come first in a sum.
                if bare && operator < 2 { (text, value) } else { (format!("({text})"), value) }
            },
        )
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        number().prop_map(|n| Value::from(n.text())),
        Just(json!({ "amount": "1.5", "currency": "EUR" })),
        Just(json!("2026-01-15T12:00:00Z")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-e]{0,2}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// One mapping of each kind, from /c to /e; the dispute's tolerance comes by factor or is given.
fn mapping(margin: &Number, wider: &Number, kind: u8, comparison: &str) -> Value {
    let amount = if kind.is_multiple_of(2) { "absolute" } else { "percent" };
    let wide = json!({ (amount): format!("{}", wider.text()) });
    let mut mapping = json!({ "name": "m", "criteria": "/c", "evidence": "/e" });
    match kind % 8 {
        0 | 1 => {
            mapping["type"] = json!("number");
            mapping["comparison"] = json!(comparison);
            mapping["tolerance"] = json!({ (amount): margin.text() });
        }
        2 | 3 => {
            mapping["type"] = json!("number");
            mapping["comparison"] = json!(comparison);
            mapping["disputeTolerance"] = wide;
        }
        4 => mapping["type"] = json!("denomination"),
        5 => {
            mapping["type"] = json!("datetime");
            mapping["tolerance"] = json!({ "graceSecondsBefore": 3, "graceSecondsAfter": 5 });
        }
        6 => mapping["type"] = json!("string"),
        _ => mapping["type"] = json!("boolean"),
    }
    mapping
}

const COMPARISONS: [&str; 3] = ["exact", "atMost", "atLeast"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn comparisons_agree_with_fractions(
        expected in number(), found in number(), margin in margin(),
        comparison in prop::sample::select(&COMPARISONS[..]),
        kind in prop::sample::select(&["absolute", "percent"][..]),
    ) {
        let judged = verdict(
            &number_mapping(comparison, kind, &margin), &expected, &found, Tolerances::Configured);
        let holds = oracle(comparison, kind, &margin, &expected, &found);
        prop_assert_eq!(judged == Result::Pass, holds);
    }

    #[test]
    fn a_value_exactly_on_the_edge_passes_and_one_beyond_it_fails(
        expected in number(), margin in margin(), up in any::<bool>(),
    ) {
        let edge = if up { expected.fraction() + margin.fraction() } else { expected.fraction() - margin.fraction() };
        // The edge as a decimal of at most 400 places, if it has few enough digits to be read.
        let scale = BigInt::from(10).pow(360);
        let digits = (edge * BigRational::from_integer(scale)).to_integer().to_string();
        let trimmed = digits.trim_end_matches('0');
        prop_assume!(!trimmed.is_empty() && trimmed != "-" && trimmed.len() <= 63);
        let zeros = digits.len() - trimmed.len();
        let at = format!("{trimmed}e{}", i64::try_from(zeros).unwrap() - 360);
        let beyond = format!("{trimmed}1e{}", i64::try_from(zeros).unwrap() - 361);
        let rules = rules(&json!({ "mappings": [number_mapping("exact", "absolute", &margin)] }));
        let judge = |text: &str| rules.evaluate(
            &json!({ "c": expected.text() }), &json!({ "e": text }), Tolerances::Configured).result;
        prop_assert_eq!(judge(&at), Result::Pass);
        // One more digit moves away from zero: outwards only on that side.
        let outwards = up != trimmed.starts_with('-');
        if outwards {
            prop_assert_eq!(judge(&beyond), Result::Fail);
        }
    }

    #[test]
    fn absolute_tolerance_is_symmetric(a in number(), b in number(), margin in margin()) {
        let mapping = number_mapping("exact", "absolute", &margin);
        let there = verdict(&mapping, &a, &b, Tolerances::Configured);
        prop_assert_eq!(there, verdict(&mapping, &b, &a, Tolerances::Configured));
        let mirrored = |n: &Number| Number { digits: -n.digits, ..n.clone() };
        for kind in ["absolute", "percent"] {
            let mapping = number_mapping("exact", kind, &margin);
            let there = verdict(&mapping, &a, &b, Tolerances::Configured);
            let mirror = verdict(&mapping, &mirrored(&a), &mirrored(&b), Tolerances::Configured);
            prop_assert_eq!(there, mirror);
        }
    }

    #[test]
    fn both_one_sided_comparisons_together_are_the_exact_one(
        a in number(), b in number(), margin in margin(),
        kind in prop::sample::select(&["absolute", "percent"][..]),
    ) {
        let of = |comparison| {
            let mapping = number_mapping(comparison, kind, &margin);
            verdict(&mapping, &a, &b, Tolerances::Configured) == Result::Pass
        };
        prop_assert_eq!(of("exact"), of("atMost") && of("atLeast"));
    }

    #[test]
    fn a_wider_tolerance_never_turns_pass_into_fail(
        expected in number(), found in number(), margin in margin(), more in margin(),
        kind in 0..4u8, comparison in prop::sample::select(&COMPARISONS[..]), factor in 1..1000u32,
    ) {
        let rules = rules(&json!({
            "mappings": [mapping(&margin, &more, kind, comparison)],
            "disputeTolerance": { "factor": factor },
        }));
        let (criteria, evidence) = (json!({ "c": expected.text() }), json!({ "e": found.text() }));
        if rules.evaluate(&criteria, &evidence, Tolerances::Configured).passed() {
            prop_assert!(rules.evaluate(&criteria, &evidence, Tolerances::Dispute).passed());
        }
    }

    #[test]
    fn monotone_for_every_type_and_any_value(
        expected in any_json(), found in any_json(), same in any::<bool>(), kind in 0..8u8,
        factor in 1..1000u32,
    ) {
        let (margin, more) = (Number { digits: 5, exponent: 0 }, Number { digits: 7, exponent: 0 });
        let rules = rules(&json!({
            "mappings": [mapping(&margin, &more, kind, "exact")],
            "disputeTolerance": { "factor": factor },
        }));
        let found = if same { expected.clone() } else { found };
        let (criteria, evidence) = (json!({ "c": expected }), json!({ "e": found }));
        let usual = rules.evaluate(&criteria, &evidence, Tolerances::Configured);
        let wider = rules.evaluate(&criteria, &evidence, Tolerances::Dispute);
        prop_assert!(!usual.passed() || wider.passed());
        prop_assert_eq!(&usual, &rules.evaluate(&criteria, &evidence, Tolerances::Configured));
    }

    #[test]
    fn arithmetic_agrees_with_fractions((text, value) in arithmetic(), (other, against) in arithmetic()) {
        let expression = |operator: &str| json!({
            "name": operator, "type": "expression", "expression": format!("{text} {operator} {other}"),
        });
        let operators = ["==", "!=", "<", "<=", ">", ">="];
        let config = json!({ "mappings": operators.map(expression) });
        // Too long or too deep is refused, and too large a result is an error: both are tested apart.
        let Ok(rules) = Rules::parse(&config) else { return Ok(()) };
        let outcome = rules.evaluate(&Value::Null, &Value::Null, Tolerances::Configured);
        let holds = [
            value == against, value != against, value < against,
            value <= against, value > against, value >= against,
        ];
        for (mapping, holds) in outcome.mappings.iter().zip(holds) {
            if mapping.result != Result::Error {
                prop_assert_eq!(mapping.result == Result::Pass, holds, "{} {}", text, mapping.name);
            }
        }
    }

    #[test]
    fn nothing_panics(config in any_json(), source in ".{0,40}", words in prop::collection::vec(
        prop::sample::select(&["evidence('/a')", "criteria('')", "has(", "size(", "number(", "(", ")", "&&",
            "||", "!", "-", "+", "*", "==", "<", "1", "1e300", "'x'", "true", " "][..]), 0..30),
        value in any_json(),
    ) {
        let _ = Rules::parse(&config);
        for expression in [source, words.concat()] {
            let config = json!({ "mappings": [{ "name": "m", "type": "expression", "expression": expression }] });
            if let Ok(rules) = Rules::parse(&config) {
                let _ = rules.evaluate(&value, &value, Tolerances::Dispute);
            }
        }
    }
}
