use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// Up to here an integer is its own shortest double form.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// The canonical form of `value` (RFC 8785): sorted keys, no white space, shortest numbers.
///
/// Recursion is as deep as `value`, which [`parse`](super::parse) bounds. An integer beyond 2^53
/// (which `parse` never yields) is written as the nearest double.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_value(value, &mut out);
    out
}

/// Appends the [`canonical`] form of `value` to `out`.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => write_object(map, out),
    }
}

/// Appends `text` as a JSON string to `out`. The escapes of RFC 8785 section 3.2.2.2 are those that
/// serde_json writes; most strings need none, which is seen many bytes at a time.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().fold(true, |plain, b| plain & (b >= 0x20) & (b != b'"') & (b != b'\\')) {
        serde_json::to_writer(out, text).expect("writing a string to memory does not fail");
        return;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// RFC 8785 section 3.2.2.3: as ECMAScript writes a double.
fn write_number(number: &Number, out: &mut Vec<u8>) {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    if magnitude.is_some_and(|magnitude| magnitude <= MAX_SAFE_INTEGER) {
        serde_json::to_writer(out, number).expect("writing a number to memory does not fail");
        return;
    }
    let double = number.as_f64().expect("JSON numbers are finite doubles");
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
}

fn write_object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    // The map is in byte order already, which for ASCII keys is the order wanted.
    if map.keys().all(|key| key.is_ascii()) {
        write_members(map.iter(), out);
    } else {
        let mut members: Vec<_> = map.iter().collect();
        members.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        write_members(members.into_iter(), out);
    }
    out.push(b'}');
}

fn write_members<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, out: &mut Vec<u8>) {
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_value(value, out);
    }
}

/// RFC 8785 section 3.2.3: by UTF-16 code units. Only characters from U+E000 on sort differently
/// by UTF-8 bytes.
fn utf16_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}
