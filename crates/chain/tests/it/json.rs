//! What the parser takes, what it refuses, and where it says the fault is.

use deed_chain::json::{JsonError, MAX_DEPTH, canonical, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn error(text: &str) -> JsonError {
    parse(text.as_bytes(), 64).expect_err(text)
}

#[test]
fn ordinary_values() {
    let text = r#" {"a":[1,-2,3.5,"x\u0041\ud83d\ude00",true,false,null,{}],"b":{"a":[]}} "#;
    let value = parse(text.as_bytes(), 64).unwrap();
    assert_eq!(value, json!({"a": [1, -2, 3.5, "xA😀", true, false, null, {}], "b": {"a": []}}));
}

#[test]
fn duplicate_keys_are_named() {
    for (text, at) in [
        (r#"{"a":1,"a":1}"#, "/a"),
        (r#"{"a":1,"\u0061":2}"#, "/a"),
        (r#"{"x":[0,{"k/~":1,"l":2,"k/~":3}]}"#, "/x/1/k~1~0"),
        (r#"{"":1,"":2}"#, "/"),
        (r#"[[],{"a":{"b":{"c":0,"c":{}}}}]"#, "/1/a/b/c"),
    ] {
        assert_eq!(error(text), JsonError::DuplicateKey { pointer: at.to_owned() }, "{text}");
    }
}

#[test]
fn inexact_numbers_are_named() {
    for (text, at, offset, number) in [
        ("9007199254740993", "", 0, "9007199254740993"),
        ("1e400", "", 0, "1e400"),
        ("-1e400", "", 0, "-1e400"),
        ("[1e400]", "/0", 1, "1e400"),
        (r#"{"a":1,"b":[2,{"c":9007199254740993}]}"#, "/b/1/c", 19, "9007199254740993"),
        (r#"{"a":0.1000000000000000055511}"#, "/a", 5, "0.1000000000000000055511"),
        (r#"{"1e400":"1e400","b":1e999}"#, "/b", 21, "1e999"),
        (r#"["\"1e400",1e-400]"#, "/1", 11, "1e-400"),
        ("18446744073709551616", "", 0, "18446744073709551616"),
    ] {
        let expected =
            JsonError::InexactNumber { pointer: at.to_owned(), offset, text: number.to_owned() };
        assert_eq!(error(text), expected, "{text}");
    }
    let long = format!("[{}]", "1".repeat(5000));
    let JsonError::InexactNumber { text, .. } = error(&long) else { panic!("inexact") };
    assert_eq!(text.len(), 67);
}

#[test]
fn numbers_are_equal_by_value() {
    for (text, plain) in [
        ("1.0", "1"),
        ("1e2", "100"),
        ("100", "100"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ("9007199254740992", "9007199254740992"),
        ("1e21", "1e+21"),
        ("1E-7", "1e-7"),
        ("100000000000000000000", "100000000000000000000"),
        ("-1.50e0", "-1.5"),
        ("12345678901234567000", "12345678901234567000"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ] {
        let value = parse(text.as_bytes(), 64).unwrap();
        assert_eq!(String::from_utf8(canonical(&value)).unwrap(), plain);
        assert_eq!(parse(plain.as_bytes(), 64).unwrap(), value, "{text}");
    }
}

#[test]
fn nul_and_surrogates() {
    assert_eq!(error(r#"{"a":["\u0000"]}"#), JsonError::Nul { pointer: "/a/0".into() });
    assert_eq!(error(r#"{"a":{"x\u0000":1}}"#), JsonError::Nul { pointer: "/a".into() });
    for text in
        [r#""\ud800""#, r#""\udc00""#, r#""\ud800x""#, r#""\ud800\u0041""#, r#"{"\udfff":1}"#]
    {
        let JsonError::Syntax { message, .. } = error(text) else { panic!("{text}") };
        assert!(message.contains("surrogate") || message.contains("hex escape"), "{message}");
    }
    assert!(matches!(error("\"\u{0}\""), JsonError::Syntax { .. }));
}

#[test]
fn broken_text_is_located() {
    assert_eq!(parse(b"{\"a\":\"\xff\"}", 64), Err(JsonError::NotUtf8 { offset: 6 }));
    assert_eq!(parse(b"\"\xed\xa0\x80\"", 64), Err(JsonError::NotUtf8 { offset: 1 }));
    let JsonError::Syntax { pointer, line, column, .. } = error("{\"a\":[1,\n tru]}") else {
        panic!("syntax")
    };
    assert_eq!((pointer.as_str(), line, column), ("/a/1", 2, 5));
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "--1",
        "NaN",
        "Infinity",
        "'a'",
        "\"a",
        "nul",
        "{} {}",
        "1 2",
        "[1]x",
        "\u{feff}{}",
        "\"\t\"",
        "{a:1}",
        "// c\n1",
        "1.2.3",
        "[1e+]",
        "\"\\x\"",
        "\"\\",
    ] {
        assert!(matches!(error(text), JsonError::Syntax { .. }), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(64).as_bytes(), 64).is_ok());
    assert_eq!(error(&nested(65)), JsonError::TooDeep { limit: 64, offset: 64 });
    assert_eq!(error(&nested(10_000)), JsonError::TooDeep { limit: 64, offset: 64 });
    assert!(parse(nested(MAX_DEPTH).as_bytes(), usize::MAX).is_ok());
    let limit = JsonError::TooDeep { limit: MAX_DEPTH, offset: MAX_DEPTH };
    assert_eq!(parse(nested(10_000).as_bytes(), usize::MAX), Err(limit));
    let objects = "{\"a\":".repeat(10_000);
    assert_eq!(error(&objects), JsonError::TooDeep { limit: 64, offset: 320 });
    assert_eq!(parse(b"[\"[[[[\",1]", 1).unwrap(), json!(["[[[[", 1]));
    assert!(parse(b"1", 0).is_ok());
}

/// Values as the parser yields them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        "[^\u{0}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^\u{0}]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn canonical_agrees_with_another_implementation(value in value()) {
        let other = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(canonical(&value), other);
    }

    #[test]
    fn canonical_form_is_a_fixed_point(value in value()) {
        let bytes = canonical(&value);
        let again = parse(&bytes, 64).unwrap();
        prop_assert_eq!(canonical(&again), bytes.clone());
        prop_assert_eq!(parse(&bytes, 64).unwrap(), again);
    }

    #[test]
    fn a_number_is_taken_exactly_if_its_value_survives(
        text in "-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
    ) {
        let double: f64 = text.parse().unwrap();
        // The oracle: another implementation's form, compared digit by digit without exponents.
        let form = serde_json_canonicalizer::to_string(&double);
        let survives = form.is_ok_and(|form| same_decimal(&text, &form));
        prop_assert_eq!(parse(text.as_bytes(), 1).is_ok(), survives, "{}", text);
    }

    #[test]
    fn any_text_gets_an_answer(text in "[\\[\\]{}\",:0-9eE+.\\\\u-]{0,40}") {
        // Whatever is accepted here is JSON to serde_json too, with the same meaning.
        if let Ok(value) = parse(text.as_bytes(), 16) {
            let plain: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical(&plain), canonical(&value));
        }
    }
}

/// Compares two decimals by writing both without an exponent.
fn same_decimal(a: &str, b: &str) -> bool {
    plain_digits(a) == plain_digits(b)
}

/// All digits around the point of a number, padded to 1,100 places on either side.
fn plain_digits(text: &str) -> String {
    let text = text.trim_start_matches('-').to_lowercase();
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power: isize = power.parse().unwrap();
    let digits = format!("{whole}{fraction}");
    let mut cells = vec![b'0'; 2200];
    for (index, digit) in digits.bytes().enumerate() {
        let place = 1100 - whole.len() as isize - power + index as isize;
        cells[usize::try_from(place).unwrap()] = digit;
    }
    String::from_utf8(cells).unwrap()
}
