//! Hostile documents and the limits of the verifier.

use deed_chain::{
    Bundle, Verdict, body::MAX_DEPTH, bundle::MAX_RECORDS, key_set::MAX_KEYS, verify,
    verify::Reason,
};
use serde_json::{Value, json};

use crate::{
    cases::{Expected, in_part, installation, tree},
    structure::judge,
    world::{id, known_keys},
};

fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

#[test]
fn a_body_of_the_greatest_depth_can_be_exported() {
    let installation = installation();
    let mut record = (id(1), Vec::new());
    installation.append(&mut record, "record.recorded", json!({"deep": nested(MAX_DEPTH - 1)}));
    let bytes = installation.export(id(1), vec![record]).to_bytes();
    assert_eq!(judge(&bytes), Expected::Valid);
}

#[test]
fn ten_thousand_levels_end_in_a_clean_answer() {
    for opening in ["[", "{\"a\":"] {
        assert_eq!(judge(opening.repeat(10_000).as_bytes()), in_part(Reason::Malformed));
    }
}

fn open_question(change: impl FnOnce(&mut Bundle)) -> String {
    let mut bundle = tree();
    change(&mut bundle);
    let report = verify(&bundle.to_bytes(), Some(&known_keys()));
    let Verdict::CannotTell { reason } = report.verdict else { panic!("{report:?}") };
    reason
}

#[test]
fn more_than_the_limits_leaves_the_question_open() {
    let reason = open_question(|bundle| {
        let mut empty = bundle.records[0].clone();
        empty.entries.clear();
        bundle.records = vec![empty; MAX_RECORDS + 1];
    });
    assert!(reason.contains("100001 records"), "{reason}");
    let reason = open_question(|bundle| bundle.keys = vec![bundle.keys[0].clone(); MAX_KEYS + 1]);
    assert!(reason.contains("1025 keys"), "{reason}");
}

#[test]
fn versions_of_the_format() {
    let text = String::from_utf8(tree().to_bytes()).unwrap();
    let judge_version = |version: &str| judge(text.replace("export/1", version).as_bytes());
    for newer in ["export/2", "export/10", "export/4294967295"] {
        assert_eq!(judge_version(newer), Expected::CannotTell, "{newer}");
    }
    for other in ["export/0", "export/01", "export/", "export/1a", "export/-2", "export/+2"] {
        assert_eq!(judge_version(other), in_part(Reason::Malformed), "{other}");
    }
}
