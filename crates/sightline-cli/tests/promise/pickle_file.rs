//! Pickles as Python writes them, from JSON and from arrays.

use serde_json::Value;

/// A value of the pickle.
pub(crate) enum Part<'a> {
    Json(&'a Value),
    /// A numpy array of float32, `[rows, dim]`.
    Rows(usize, &'a [f32]),
}

/// A pickle of one value.
pub(crate) fn of_json(value: &Value) -> Vec<u8> {
    whole(&opcodes(&Part::Json(value)))
}

/// A pickle of an array.
pub(crate) fn of_rows(dim: usize, values: &[f32]) -> Vec<u8> {
    whole(&opcodes(&Part::Rows(dim, values)))
}

/// A pickle of a dictionary.
pub(crate) fn of_dict(entries: &[(&str, Part<'_>)]) -> Vec<u8> {
    let mut out = b"}(".to_vec();
    for (key, part) in entries {
        text(&mut out, key);
        out.extend(opcodes(part));
    }
    out.push(b'u');
    whole(&out)
}

fn whole(opcodes: &[u8]) -> Vec<u8> {
    [b"\x80\x04", opcodes, b"."].concat()
}

fn opcodes(part: &Part<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match part {
        Part::Json(value) => json(&mut out, value),
        Part::Rows(dim, values) => array(&mut out, *dim, values),
    }
    out
}

fn json(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(b'N'),
        Value::Bool(truth) => out.push(if *truth { 0x88 } else { 0x89 }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => integer(out, i32::try_from(whole).unwrap()),
            None => {
                out.push(b'G');
                out.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        Value::String(string) => text(out, string),
        Value::Array(items) => {
            out.extend(b"](");
            items.iter().for_each(|item| json(out, item));
            out.push(b'e');
        }
        Value::Object(items) => {
            out.extend(b"}(");
            for (key, item) in items {
                text(out, key);
                json(out, item);
            }
            out.push(b'u');
        }
    }
}

fn array(out: &mut Vec<u8>, dim: usize, values: &[f32]) {
    out.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01");
    integer(out, i32::try_from(values.len() / dim).unwrap());
    integer(out, i32::try_from(dim).unwrap());
    out.extend(b"\x86cnumpy\ndtype\n");
    text(out, "f4");
    out.extend(b"\x89\x88\x87R(K\x03");
    text(out, "<");
    out.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89B");
    out.extend(u32::try_from(4 * values.len()).unwrap().to_le_bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out.extend(b"tb");
}

fn integer(out: &mut Vec<u8>, number: i32) {
    out.push(b'J');
    out.extend(number.to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}
