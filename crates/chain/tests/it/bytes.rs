//! No byte of an export can change unnoticed.

use deed_chain::verify::Reason;
use proptest::prelude::*;

use crate::{
    cases::{Expected, installation, tree},
    structure::judge,
    world::id,
};

/// Whether the document is refused. Only a change of the version in `format` may leave the
/// question open: the result is what a later version of the format could look like.
fn refused(bytes: &[u8]) -> bool {
    match judge(bytes) {
        Expected::Valid => false,
        Expected::Tampered { .. } => true,
        Expected::CannotTell => {
            let text = String::from_utf8_lossy(bytes);
            text.contains("\"format\":\"deed-export/") && !text.contains("deed-export/1\"")
        }
    }
}

#[test]
fn every_single_byte_of_a_small_export() {
    let installation = installation();
    let record = installation.record(id(1), 2, None);
    let bytes = installation.export(id(1), vec![record]).to_bytes();
    assert_eq!(judge(&bytes), Expected::Valid);
    for at in 0..bytes.len() {
        // The lowest bit, the case of a letter, no ASCII at all.
        for flip in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            assert!(refused(&changed), "byte {at} xor {flip:#x}");
        }
    }
}

#[test]
fn every_bit_of_a_statement_counts() {
    let installation = installation();
    let bundle = installation.export(id(1), vec![installation.record(id(1), 1, None)]);
    let statement = &bundle.records[0].entries[0].statement;
    let bytes = deed_chain::base64url::decode(statement).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bundle.clone();
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        changed.records[0].entries[0].statement = deed_chain::base64url::encode(&bytes);
        let Expected::Tampered { reason, record, position } = judge(&changed.to_bytes()) else {
            panic!("bit {bit} is not refused");
        };
        assert_eq!((record, position), (Some(id(1)), Some(0)), "bit {bit}");
        let expected = [
            Reason::StatementMalformed,
            Reason::SignatureInvalid,
            Reason::SignatureNotCanonical,
            Reason::UnknownKey,
        ];
        assert!(expected.contains(&reason), "bit {bit}: {reason}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_changes_of_a_larger_export(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = tree().to_bytes();
        let mut changed = bytes.clone();
        for (at, byte) in edits {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        prop_assert!(changed == bytes || refused(&changed));
    }

    #[test]
    fn bytes_removed_inserted_or_cut_off(at: prop::sample::Index, byte: u8) {
        let bytes = tree().to_bytes();
        let at = at.index(bytes.len());
        let mut shorter = bytes.clone();
        shorter.remove(at);
        prop_assert!(refused(&shorter));
        let mut longer = bytes.clone();
        longer.insert(at, byte);
        prop_assert!(refused(&longer));
        prop_assert!(refused(&bytes[..at]));
    }

    #[test]
    fn whatever_bytes_come_the_verifier_answers(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(refused(&bytes));
        prop_assert!(deed_chain::KeySet::parse(&bytes).is_err());
        prop_assert!(deed_chain::entry::decode(&bytes).is_err());
    }
}
