//! What receivers verify.

use deed_notify::signature::http::{Parts, TAG, Unsigned, content_digest};
use deed_notify::signature::standard::{Secret, signatures};
use proptest::prelude::*;

#[test]
fn the_vector_of_the_specification() {
    // From the README of the reference libraries.
    let bytes = [
        0x7d, 0xab, 0x3d, 0x71, 0xb9, 0xe2, 0xf9, 0x32, 0x90, 0x3e, 0xba, 0x27, 0x13, 0x23, 0x60,
        0x5a, 0x36, 0x39, 0x76, 0x24, 0x4b, 0x2d, 0x9d, 0x60,
    ];
    let secret = Secret::from_bytes(bytes).unwrap();
    let signed =
        secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert!(signed.starts_with("v1,") && signed.len() == 3 + 44, "{signed}");
    assert_eq!(secret.reveal(), "whsec_fas9cbni+TKQPronEyNgWjY5diRLLZ1g");
    assert_eq!(format!("{secret:?}"), "Secret(<redacted>)");
}

#[test]
fn a_secret_has_24_to_64_bytes() {
    for (length, good) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
        assert_eq!(Secret::from_bytes(vec![1; length]).is_some(), good, "{length}");
    }
}

#[test]
fn in_the_time_of_grace_there_is_a_signature_of_each_secret() {
    let (new, old) = (Secret::from_bytes([1; 32]).unwrap(), Secret::from_bytes([2; 32]).unwrap());
    let both = signatures([&new, &old], "id", 17, b"{}");
    assert_eq!(both, format!("{} {}", new.sign("id", 17, b"{}"), old.sign("id", 17, b"{}")));
}

/// RFC 9530, appendix D: the digest of `{"hello": "world"}` and a line feed.
#[test]
fn a_content_digest_is_that_of_the_rfc() {
    assert_eq!(
        content_digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
}

#[test]
fn a_signature_base_is_as_rfc_9421_wants_it() {
    let parts = Parts {
        target_uri: "https://example.org/hook?a=1",
        content_type: "application/json",
        content_digest: "sha-256=:AAAA:",
        id: "0196f000-0000-8000-8000-000000000000",
        timestamp: 1_768_478_400,
        key_id: "key",
    };
    let unsigned = Unsigned::new(&parts);
    let parameters = "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \"webhook-id\" \
        \"webhook-timestamp\");created=1768478400;keyid=\"key\";alg=\"ed25519\";tag=\"deed-webhook\"";
    let base = [
        "\"@method\": POST",
        "\"@target-uri\": https://example.org/hook?a=1",
        "\"content-digest\": sha-256=:AAAA:",
        "\"content-type\": application/json",
        "\"webhook-id\": 0196f000-0000-8000-8000-000000000000",
        "\"webhook-timestamp\": 1768478400",
        &format!("\"@signature-params\": {parameters}"),
    ];
    assert_eq!(unsigned.base(), base.join("\n"));
    assert_eq!(TAG, "deed-webhook");
    let (input, signature) = unsigned.finish(&[0; 64]);
    assert_eq!(input, format!("deed={parameters}"));
    assert_eq!(signature, format!("deed=:{}==:", "A".repeat(86)));
}

proptest! {
    #[test]
    fn a_changed_byte_changes_the_signature(
        body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(),
    ) {
        let secret = Secret::from_bytes([7; 32]).unwrap();
        let mut forged = body.clone();
        forged[at.index(body.len())] ^= 1;
        prop_assert_ne!(secret.sign("id", 1, &body), secret.sign("id", 1, &forged));
        prop_assert_ne!(secret.sign("id", 1, &body), secret.sign("ie", 1, &body));
        prop_assert_ne!(secret.sign("id", 1, &body), secret.sign("id", 2, &body));
        prop_assert_ne!(content_digest(&body), content_digest(&forged));
    }
}
