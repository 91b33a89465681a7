//! `deed verify`, on the vectors that all our verifiers share.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Outcome, deed, deed_reading};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors")
}

fn verify(file: &Path, more: &[&str]) -> Outcome {
    let mut arguments = vec!["verify", file.to_str().unwrap()];
    arguments.extend(more);
    deed(&arguments, &[])
}

fn trusted() -> String {
    vectors().join("trusted-keys.json").to_str().unwrap().to_owned()
}

#[test]
fn every_vector_has_its_exit_code_and_its_reason() {
    let cases: Value =
        serde_json::from_slice(&std::fs::read(vectors().join("bundles.json")).unwrap()).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let file = vectors().join(case["file"].as_str().unwrap());
        let code = match case["verdict"].as_str().unwrap() {
            "valid" => 0,
            "tampered" => 1,
            "cannot-tell" => 2,
            other => panic!("verdict {other}"),
        };
        let text = verify(&file, &["--keys", &trusted()]);
        assert_eq!(text.code, code, "{case}: {}{}", text.stdout, text.stderr);
        let json = verify(&file, &["--keys", &trusted(), "--json"]);
        assert_eq!(json.code, code);
        let report: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(report["verdict"], case["verdict"]);
        if code == 1 {
            for member in ["record", "position", "reason"] {
                assert_eq!(report["failure"][member], case[member], "{case}");
            }
            assert!(text.stdout.contains(case["reason"].as_str().unwrap()), "{}", text.stdout);
            for member in ["record", "position"].iter().filter(|member| !case[**member].is_null()) {
                let value = case[*member].to_string();
                assert!(text.stdout.contains(value.trim_matches('"')), "{}", text.stdout);
            }
        }
    }
}

#[test]
fn a_valid_export_says_what_was_checked() {
    let export = std::fs::read(vectors().join("bundles/good-tree.json")).unwrap();
    let outcome = deed_reading(&["verify", "-", "--keys", &trusted()], &[], &export);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.starts_with("VALID"), "{}", outcome.stdout);
    for part in ["genesis statement", "signatures", "5  entries", "from a child record"] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
}

#[test]
fn what_cannot_be_judged_is_exit_code_2_with_a_reason() {
    let (good, folder) = (vectors().join("bundles/good-tree.json"), tempfile::tempdir().unwrap());
    let absent = folder.path().join("absent.json");
    let (absent_name, good_name) = (absent.to_str().unwrap(), good.to_str().unwrap());
    let no_keys = folder.path().join("no-keys.json");
    std::fs::write(&no_keys, "{\"keys\":[]}").unwrap();
    for (outcome, reason) in [
        (verify(&good, &["--keys", no_keys.to_str().unwrap()]), "not a set of public keys"),
        (verify(&good, &[]), "pin the installation's keys"),
        (verify(&absent, &["--keys", &trusted()]), "cannot read"),
        (verify(folder.path(), &["--keys", &trusted()]), "cannot read"),
        (verify(&good, &["--keys", absent_name]), "cannot read"),
        (verify(&good, &["--keys", good_name]), "is an export"),
    ] {
        assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains(reason), "{reason}: {said}");
    }
}
