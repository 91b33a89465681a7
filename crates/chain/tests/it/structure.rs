//! Every case has its verdict; every way to move whole entries about is refused by name.

use std::collections::HashSet;

use deed_chain::{
    Bundle, KeySet, Verdict,
    bundle::Record,
    verify,
    verify::{Checked, Reason},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    cases::{self, Expected, at, in_record, installation, rotated, tree},
    world::{Installation, id, key, known_keys, public},
};

pub(crate) fn judge(bytes: &[u8]) -> Expected {
    let verdict = verify(bytes, Some(&known_keys())).verdict;
    match verdict {
        Verdict::Valid => Expected::Valid,
        Verdict::CannotTell { .. } => Expected::CannotTell,
        Verdict::Tampered { failure } => Expected::Tampered {
            reason: failure.reason,
            record: failure.record,
            position: failure.position,
        },
    }
}

#[test]
fn every_case_has_its_verdict() {
    for case in cases::all() {
        assert_eq!(judge(&case.bytes), case.expected, "{}: {}", case.name, case.about);
    }
}

#[test]
fn case_names_differ_and_every_reason_has_a_case() {
    let cases = cases::all();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    let reasons: HashSet<_> = cases
        .iter()
        .filter_map(|case| match case.expected {
            Expected::Tampered { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    let missing: Vec<_> = Reason::ALL
        .iter()
        .filter(|r| !reasons.contains(r) && **r != Reason::CheckpointInvalid)
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
}

#[test]
fn the_report_counts_what_was_checked() {
    let report = verify(&tree().to_bytes(), Some(&known_keys()));
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.root, Some(id(1)));
    let expected = Checked {
        keys: 1,
        trusted_keys: 1,
        genesis: 1,
        records: 2,
        entries: 5,
        signatures: 7,
        links: 5,
        bodies: 7,
        erased: 0,
        parent_links: 1,
        parents_outside: 0,
        export_statements: 1,
    };
    assert_eq!(report.checked, expected);
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["verdict"], "valid");
    assert_eq!(report["checked"]["parentLinks"], 1);
}

#[test]
fn the_failure_is_readable_and_serialises_with_its_code() {
    let mut bundle = tree();
    bundle.records[0].entries.pop();
    let report = verify(&bundle.to_bytes(), Some(&known_keys()));
    let Verdict::Tampered { failure } = &report.verdict else { panic!("{report:?}") };
    assert_eq!(
        failure.to_string(),
        format!(
            "record {}, entry 2, entry-missing: the record has 3 entries, the document 2",
            id(1)
        )
    );
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["verdict"], "tampered");
    assert_eq!(report["failure"]["reason"], "entry-missing");
}

#[test]
fn without_trusted_keys_nothing_is_valid() {
    let report = verify(&tree().to_bytes(), None);
    let Verdict::CannotTell { reason } = report.verdict else { panic!("{report:?}") };
    assert!(reason.contains("--keys"), "{reason}");
    assert_eq!(report.checked.signatures, 7);
    let mut bundle = tree();
    bundle.records[0].entries.pop();
    assert!(matches!(verify(&bundle.to_bytes(), None).verdict, Verdict::Tampered { .. }));
}

#[test]
fn every_key_in_the_document_must_be_trusted() {
    let first: KeySet = [public(&key(1))].into_iter().collect();
    let report = verify(&rotated().to_bytes(), Some(&first));
    let Verdict::Tampered { failure } = report.verdict else { panic!("{report:?}") };
    assert_eq!(failure.reason, Reason::UntrustedKey);
    let nothing = verify(&tree().to_bytes(), Some(&KeySet::default()));
    assert!(matches!(nothing.verdict, Verdict::Tampered { .. }), "{nothing:?}");
}

#[test]
fn a_draft_refuses_what_would_not_verify() {
    use deed_chain::bundle::{BuildError, Draft};
    let installation = installation();
    let draft = |root, records: Vec<Record>| {
        let genesis = (&installation.genesis.0, installation.genesis.1.clone());
        Draft::new(&installation.issuer, installation.id, genesis, root, records)
    };
    let record = installation.record(id(1), 1, None);
    assert_eq!(draft(id(2), vec![record.clone()]).unwrap_err(), BuildError::Record(id(2)));
    assert_eq!(
        draft(id(1), vec![record.clone(), record.clone()]).unwrap_err(),
        BuildError::Record(id(1))
    );
    assert_eq!(draft(id(1), vec![(id(1), vec![])]).unwrap_err(), BuildError::Record(id(1)));
    let draft = draft(id(1), vec![record]).unwrap();
    let kid = public(&key(1)).thumbprint();
    assert_eq!(draft.export_statement(&kid, -1, &[0; 16]).unwrap_err(), BuildError::Time);
    let (unsigned, body) = draft.export_statement(&kid, 0, &[0; 16]).unwrap();
    let export = unsigned.finish(&[0; 64]);
    let other = [public(&key(2))].into_iter().collect();
    assert_eq!(draft.finish((&export, body), &other).unwrap_err(), BuildError::UnknownKey(kid));
}

/// Two records of random length, neither the parent of the other's entries that are moved.
fn pair(lengths: (usize, usize)) -> Bundle {
    let installation = installation();
    let root = installation.record(id(1), lengths.0, None);
    let parent = root.1[0].0.hash();
    let child = installation.record(id(2), lengths.1, Some((id(1), parent)));
    installation.export(id(1), vec![root, child])
}

fn lengths() -> impl Strategy<Value = (usize, usize)> {
    (1..6_usize, 1..6_usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_dropped_entry_is_named(lengths in lengths(), pick: prop::sample::Index, record in 0..2_usize) {
        let mut bundle = pair(lengths);
        let entries = &mut bundle.records[record].entries;
        let dropped = pick.index(entries.len());
        let last = entries.len() - 1;
        entries.remove(dropped);
        let number = record as u128 + 1;
        let expected = match dropped {
            0 if last == 0 => in_record(Reason::RecordEmpty, number),
            _ if dropped == last => at(Reason::EntryMissing, number, last as u64),
            _ => at(Reason::PositionSequence, number, dropped as u64),
        };
        prop_assert_eq!(judge(&bundle.to_bytes()), expected);
    }

    #[test]
    fn every_repeated_entry_is_named(lengths in lengths(), from: prop::sample::Index, to: prop::sample::Index, record in 0..2_usize) {
        let mut bundle = pair(lengths);
        let entries = &mut bundle.records[record].entries;
        let entry = entries[from.index(entries.len())].clone();
        let place = to.index(entries.len() + 1);
        // An entry put before itself pushes itself out of place, not the copy.
        let seen = if entry.position == place as u64 { place + 1 } else { place };
        entries.insert(place, entry);
        let expected = at(Reason::PositionSequence, record as u128 + 1, seen as u64);
        prop_assert_eq!(judge(&bundle.to_bytes()), expected);
    }

    #[test]
    fn every_swap_is_named(length in 2..7_usize, one: prop::sample::Index, other: prop::sample::Index) {
        let mut bundle = pair((length, 2));
        let (one, other) = (one.index(length), other.index(length));
        bundle.records[0].entries.swap(one, other);
        let first = one.min(other) as u64;
        let expected =
            if one == other { Expected::Valid } else { at(Reason::PositionSequence, 1, first) };
        prop_assert_eq!(judge(&bundle.to_bytes()), expected);
    }

    #[test]
    fn every_transplant_between_records_is_named(lengths in lengths(), from: prop::sample::Index, to: prop::sample::Index, target in 0..2_usize) {
        let mut bundle = pair(lengths);
        let source = bundle.records[1 - target].entries.clone();
        let place = to.index(bundle.records[target].entries.len());
        bundle.records[target].entries[place] = source[from.index(source.len())].clone();
        let expected = at(Reason::SubjectMismatch, target as u128 + 1, place as u64);
        prop_assert_eq!(judge(&bundle.to_bytes()), expected);
    }

    #[test]
    fn every_transplant_between_installations_is_named(length in 1..6_usize, pick: prop::sample::Index) {
        // The worst case: same issuer, same key, same identifiers, same contents.
        let twin = Installation::new(200, crate::world::ISSUER);
        let mut bundle = pair((length, 1));
        let foreign = twin.export(id(1), vec![twin.record(id(1), length, None)]);
        let place = pick.index(length);
        bundle.records[0].entries[place] = foreign.records[0].entries[place].clone();
        let reason = if place == 0 { Reason::GenesisMismatch } else { Reason::PreviousMismatch };
        prop_assert_eq!(judge(&bundle.to_bytes()), at(reason, 1, place as u64));
    }

    #[test]
    fn every_changed_body_is_named(lengths in lengths(), pick: prop::sample::Index, text in "[a-z]{1,8}") {
        let mut bundle = pair(lengths);
        let place = pick.index(lengths.0);
        let body: &mut Value = &mut bundle.records[0].entries[place].body;
        body["injected"] = json!(text);
        let expected = at(Reason::BodyHashMismatch, 1, place as u64);
        prop_assert_eq!(judge(&bundle.to_bytes()), expected);
    }
}
