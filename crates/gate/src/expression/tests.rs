use serde_json::{Value, json};

use super::{Expression, compile::compile, run::run};
use crate::rule::Documents;

fn value(source: &str, criteria: &Value, evidence: &Value) -> Result<bool, String> {
    let program = compile(source).unwrap_or_else(|refused| panic!("{source}: {refused:?}"));
    run(&program, Documents { criteria, evidence })
}

fn plain(source: &str) -> Result<bool, String> {
    value(source, &Value::Null, &Value::Null)
}

#[test]
fn precedence_and_associativity() {
    for source in [
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "10 - 3 - 2 == 5",
        "2 * 3 - 4 * 5 == -14",
        "-2 * -3 == 6",
        "1 - -1 == 2",
        "--1 == 1",
        "true || false && false",
        "!(true && false)",
        "!false && true",
        "!true == false",
        "1 < 2 && 2 < 3 || 3 < 2",
        "false || 1 <= 1",
        "0.1 + 0.2 == 0.3",
        "1e2 == 100",
        "abs(-3) == abs(3)",
        "number(\"1.50\") == 1.5",
        "number(1.5) == 1.5",
        "size(\"äö\") == 2",
        "\"a\\\"b\" == 'a\"b'",
        "'a' != 'b'",
        "((((true))))",
    ] {
        assert_eq!(plain(source), Ok(true), "{source}");
    }
    for source in ["false", "1 > 1", "1 != 1.0", "true && false", "false && true || false"] {
        assert_eq!(plain(source), Ok(false), "{source}");
    }
}

#[test]
fn the_side_that_decides_is_enough() {
    let evidence = json!({ "a": 1 });
    let of = |source| value(source, &Value::Null, &evidence);
    assert_eq!(of("has(evidence('/b')) && evidence('/b') > 1"), Ok(false));
    assert_eq!(of("!has(evidence('/b')) || evidence('/b') > 1"), Ok(true));
    assert_eq!(of("has(evidence('/a')) && evidence('/a') == 1 && has(evidence(''))"), Ok(true));
    assert_eq!(of("false && false && evidence('/b')"), Ok(false));
    assert_eq!(of("true || evidence('/b') || evidence('/c')"), Ok(true));
    assert!(of("evidence('/b') > 1 && has(evidence('/b'))").is_err(), "left to right");
}

#[test]
fn values_keep_their_types() {
    let criteria = json!({ "n": 2, "t": "2", "b": true, "l": [1, 2], "o": {}, "z": null });
    let of = |source| value(source, &criteria, &Value::Null);
    assert_eq!(of("number(criteria('/t')) == criteria('/n')"), Ok(true));
    assert_eq!(of("size(criteria('/l')) == 2 && size(criteria('/o')) == 0"), Ok(true));
    assert_eq!(of("criteria('/b')"), Ok(true));
    assert_eq!(of("has(criteria('/z'))"), Ok(true), "null is there");
    for (source, part) in [
        ("criteria('/t') == criteria('/n')", "a text and a number"),
        ("criteria('/t') < 'b'", "a text and a text"),
        ("criteria('/b') < true", "a boolean and a boolean"),
        ("criteria('/z') == criteria('/z')", "null and null"),
        ("criteria('/n')", "expected a boolean, found a number"),
        ("criteria('/t') + 1 == 3", "number(...)"),
        ("-criteria('/t') == 3", "number(...)"),
        ("abs(criteria('/l')) == 3", "found an array"),
        ("size(criteria('/n')) == 3", "size expects"),
        ("number(criteria('/b')) == 3", "found a boolean"),
        ("number('x') == 3", "another text"),
        ("!criteria('/n')", "expected a boolean"),
        ("true && criteria('/n')", "expected a boolean"),
        ("criteria('/n') && true", "expected a boolean"),
        ("criteria('/q') == 1", "nothing at /q in the criteria"),
    ] {
        let reason = of(source).expect_err(source);
        assert!(reason.contains(part), "{source}: {reason}");
    }
}

#[test]
fn what_is_refused_says_where() {
    for (source, character, expected) in [
        ("1 +", 4, "a value"),
        ("", 1, "a value"),
        ("1 2", 3, "an operator"),
        ("true)", 5, "an operator or the end"),
        ("(true", 6, "a closing )"),
        ("1 < 2 < 3", 7, "&& between"),
        ("1 == 1 != 2", 8, "&& between"),
        ("'ä' == \"x", 8, "a closing quote"),
        ("'\\n' == 'x'", 2, "after a backslash"),
        ("1 = 2", 3, "an operator"),
        ("a(1)", 1, "a value"),
        ("size 1", 6, "("),
        ("evidence(a)", 10, "a JSON Pointer"),
        ("evidence('a')", 10, "a JSON Pointer"),
        ("evidence('/a' + 'b')", 15, ")"),
        ("has('/a')", 5, "criteria("),
        ("1 + 1", 1, "true or false"),
        ("'a'", 1, "true or false"),
        ("abs(1)", 1, "true or false"),
        ("01 == 1", 1, "a number"),
        ("1e999 == 1", 1, "a number"),
        ("1.5.5 == 1", 1, "a number"),
        ("() == 1", 2, "a value"),
        ("1 == * 2", 6, "a value"),
        ("true ? 1 : 2", 6, "a number, a text"),
    ] {
        let refused = compile(source).expect_err(source);
        assert!(refused.expected.contains(expected), "{source}: {refused:?}");
        assert_eq!(refused.character(source), character, "{source}: {refused:?}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(compile(&nested(32)).is_ok());
    assert!(compile(&nested(33)).unwrap_err().expected.contains("32"));
    assert!(compile(&format!("{}true", "!".repeat(32))).is_ok());
    assert!(compile(&format!("{}true", "!".repeat(33))).is_err());
    let long = |terms: usize| vec!["true"; terms].join("&&");
    assert!(compile(&long(170)).is_ok());
    assert!(compile(&long(200)).unwrap_err().expected.contains("512"));
    // Right-nested operators wait on the stack too.
    assert!(compile(&format!("{}1{} == 1", "1 + (".repeat(40), ")".repeat(40))).is_err());
}

#[test]
fn results_are_bounded() {
    let mut source = "9e99 * 9e99".to_owned();
    for _ in 0..8 {
        source.push_str(" * 9e99");
    }
    assert!(plain(&format!("{source} > 1")).is_ok());
    source.push_str(" * 9e99");
    assert!(plain(&format!("{source} > 1")).unwrap_err().contains("1e1000"));
    let small = ["9e-300"; 4].join(" * ");
    assert!(plain(&format!("{small} > 0")).unwrap_err().contains("1e-1000"));
}

#[test]
fn an_outcome_shows_what_was_read() {
    let criteria = json!({ "max": 5 });
    let evidence = json!({ "n": "x".repeat(1000), "l": [1, 2] });
    let source =
        "evidence('/n') == 'y' && evidence('/l') == criteria('/max') || has(evidence('/q'))";
    let program = compile(source).unwrap();
    let expression = Expression { source: source.to_owned(), program };
    let finding = expression.judge(Documents { criteria: &criteria, evidence: &evidence });
    let found = finding.found.unwrap();
    assert!(found.starts_with("evidence /n: \"xxx"), "{found}");
    assert!(found.ends_with("evidence /l: an array of 2; criteria /max: 5; evidence /q: nothing"));
    assert!(found.len() < 400);
}
