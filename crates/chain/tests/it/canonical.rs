//! The reference vectors of RFC 8785 and its examples.

use std::{fs, path::PathBuf};

use deed_chain::json::{JsonError, canonical, parse};
use serde_json::{Value, json};

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/jcs")
}

#[test]
fn reference_vectors() {
    for name in ["arrays", "french", "structures", "unicode", "values", "weird"] {
        let file = format!("{name}.json");
        let input = fs::read(vectors().join("input").join(&file)).unwrap();
        let output = fs::read(vectors().join("output").join(&file)).unwrap();
        let value: Value = serde_json::from_slice(&input).unwrap();
        assert_eq!(canonical(&value), output, "{name}");
        assert_eq!(canonical(&parse(&output, 64).unwrap()), output, "{name}");
        match parse(&input, 64) {
            Ok(strict) => assert_eq!(canonical(&strict), output, "{name}"),
            // Its first number has a digit more than a double can carry.
            Err(JsonError::InexactNumber { pointer, .. }) => {
                assert_eq!((name, pointer.as_str()), ("values", "/numbers/0"));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// RFC 8785 appendix B: doubles by their bits.
#[test]
fn number_samples() {
    for (bits, text) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let double = f64::from_bits(bits);
        assert_eq!(canonical(&json!(double)), text.as_bytes(), "{bits:#x}");
        let parsed = parse(text.as_bytes(), 1).unwrap();
        assert_eq!(canonical(&parsed), text.as_bytes());
        assert_eq!(parsed.as_f64().unwrap(), double);
    }
}

#[test]
fn integers_beyond_a_double_are_written_as_one() {
    assert_eq!(canonical(&json!(u64::MAX)), b"18446744073709552000");
    assert_eq!(canonical(&json!(i64::MIN)), b"-9223372036854776000");
    assert_eq!(canonical(&json!((1_u64 << 53) + 1)), b"9007199254740992");
}
