//! Pickles written by hand: what is refused, by which name, and what sharing may cost.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use sightline_checkpoint::pickle::{self, PickleError};
use sightline_checkpoint::{Storage, Value};

fn read(bytes: &[u8]) -> Result<Value, PickleError> {
    pickle::read(&Storage::from_vec(bytes.to_vec()))
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x8c, text.len() as u8];
    bytes.extend(text.as_bytes());
    bytes
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Every way to name `module.name`, and to call what was named.
fn ways(module: &str, name: &str) -> Vec<Vec<u8>> {
    let global = format!("c{module}\n{name}\n").into_bytes();
    let stacked = joined(&[&text(module), &text(name), b"\x93"]);
    let instance = format!("(i{module}\n{name}\n.").into_bytes();
    let mut ways = vec![instance];
    for named in [global, stacked] {
        for call in [b")R.".as_slice(), b")\x81.", b")}\x92.", b"}b.", b"."] {
            ways.push(joined(&[b"\x80\x04", &named, call]));
        }
        ways.push(joined(&[b"\x80\x04(", &named, b"o."]));
    }
    ways
}

#[test]
fn names_outside_the_list_are_refused_by_name_in_every_way() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "hub.load"),
        ("torch.nn.modules.linear", "Linear"),
        ("numpy", "load"),
        ("sklearn.decomposition", "pca.PCA"),
        ("sklearn.decomposition.pca", "PCA.fit"),
    ] {
        for bytes in ways(module, name) {
            match read(&bytes) {
                Err(PickleError::Global { name: named, .. }) => assert_eq!(named, format!("{module}.{name}")),
                other => panic!("{module}.{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn names_on_the_list_are_no_values_and_keep_their_state() {
    for bytes in ways("collections", "OrderedDict") {
        let is_call = bytes.ends_with(b")R.");
        assert_eq!(read(&bytes).is_ok(), is_call, "{bytes:?}");
    }
    assert!(read(b"\x80\x02csklearn.decomposition.pca\nPCA\n)\x81}b.").is_ok());
    assert!(read(b"\x80\x02csklearn.decomposition.pca\nPCA\nK\x01\x85\x81.").is_err());
    // A method of a value is no function either.
    assert!(read(b"\x80\x02]K\x01\x85R.").is_err());
}

#[test]
fn what_holds_itself_is_refused() {
    for bytes in [
        b"]\x94h\x00a.".as_slice(),
        b"]\x94h\x00\x85a.",
        b"}\x94Nh\x00s.",
        b"}\x94h\x00Ns.",
        b"ccollections\nOrderedDict\n)R\x94Nh\x00s.",
        b"csklearn.decomposition.pca\nPCA\n)\x81\x94}Nh\x00sb.",
    ] {
        let bytes = joined(&[b"\x80\x04", bytes]);
        assert!(
            matches!(read(&bytes), Err(PickleError::Excess { .. })),
            "{bytes:?}"
        );
    }
}

#[test]
fn sharing_costs_nothing_but_must_not_explode() {
    let doubled = |levels: u8| {
        let mut bytes = b"\x80\x04N\x940".to_vec();
        for level in 0..levels {
            bytes.extend([b'h', level, b'h', level, 0x86, 0x94, b'0']);
        }
        bytes.extend([b'h', levels, b'.']);
        bytes
    };
    assert!(read(&doubled(15)).is_ok());
    assert!(matches!(read(&doubled(60)), Err(PickleError::Excess { .. })));
    // As a key of a dictionary it would have to be hashed.
    let mut key = doubled(12);
    key.pop();
    assert!(
        read(&joined(&[
            &key[..key.len() - 2],
            b"}",
            &key[key.len() - 2..],
            b"Ns."
        ]))
        .is_err()
    );
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let lists = |depth: usize| joined(&[b"\x80\x04", &b"]".repeat(depth), &b"a".repeat(depth - 1), b"."]);
    assert!(read(&lists(150)).is_ok());
    for depth in [1_000, 200_000] {
        assert!(matches!(read(&lists(depth)), Err(PickleError::Excess { .. })));
    }
}

#[test]
fn keys_are_python_s() {
    // {1: "a", True: "b", 1.0: "c"} has one entry: the first key, the last value.
    let one = 1.0_f64.to_be_bytes();
    let bytes = joined(&[
        b"\x80\x04}(K\x01",
        &text("a"),
        b"\x88",
        &text("b"),
        b"G",
        &one,
        &text("c"),
        b"u.",
    ]);
    let value = read(&bytes).unwrap();
    let items = value.as_items().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].0.as_i64(), Some(1));
    assert_eq!(items[0].1.as_str(), Some("c"));
    assert!(read(b"\x80\x04}]Ns.").is_err());
}

#[test]
fn memo_numbers_may_begin_anywhere() {
    // Python 2's cPickle counts from 1; nothing is allocated for a large number.
    let value = read(b"(lp1\nI5\nag1\n.").err().unwrap();
    assert!(value.to_string().contains("left over"));
    assert_eq!(read(b"I5\np1\n0g1\n.").unwrap().as_i64(), Some(5));
    assert_eq!(
        read(b"I5\np4294967295\n0g4294967295\n.").unwrap().as_i64(),
        Some(5)
    );
    assert_eq!(read(b"I5\np18446744073709551615\n.").unwrap().as_i64(), Some(5));
    assert!(read(b"I5\np18446744073709551616\n.").is_err());
}

#[test]
fn a_pickle_ends_where_its_file_ends() {
    assert!(read(b"\x80\x04N.").is_ok());
    assert!(read(b"\x80\x04N.\x80\x04N.").is_err());
    assert!(read(b"\x80\x04NN.").is_err());
    assert!(read(b"\x80\x04(N.").is_err());
}
