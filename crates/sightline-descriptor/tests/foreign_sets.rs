//! Descriptors in files of other makers: safetensors, numpy arrays, dirtorch's pairs of files, pickles.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use half::f16;
use sightline_descriptor::{DescriptorSet, RowType, SetError, SetHeader, SetWriter};
use std::path::Path;

/// The bytes of a safetensors file with the given header text and data.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn tensors_of_other_makers() {
    let header = r#"{"queries":{"dtype":"F32","shape":[1,2],"data_offsets":[16,24]},"database":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"labels":{"dtype":"I64","shape":[1,1],"data_offsets":[24,32]}}"#;
    let data: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let bytes = safetensors(header, &data);
    let set = DescriptorSet::from_bytes("f", bytes.clone(), Some("queries")).unwrap();
    assert_eq!(
        (set.to_f32(), set.names(), set.has_names()),
        (vec![5.0, 6.0], &["0".to_owned()][..], false)
    );
    assert!(set.card().is_none());
    let message = DescriptorSet::from_bytes("f", bytes.clone(), None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "f holds several sets of rows (database, queries). Say which one is meant, e.g. f#database."
    );
    let message = DescriptorSet::from_bytes("f", bytes.clone(), Some("db"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "f has no tensor named \"db\". It has: database, queries."
    );
    assert!(
        DescriptorSet::from_bytes("f", bytes, Some("labels"))
            .unwrap_err()
            .to_string()
            .contains("type int64")
    );
}

#[test]
fn other_types_are_converted() {
    let wide = [0.5f64, -2.0];
    let data: Vec<u8> = wide.iter().flat_map(|v| v.to_le_bytes()).collect();
    let header = r#"{"x":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}}"#;
    assert_eq!(
        DescriptorSet::from_bytes("f", safetensors(header, &data), None)
            .unwrap()
            .to_f32(),
        [0.5, -2.0]
    );
    let data: Vec<u8> = wide
        .iter()
        .flat_map(|v| half::bf16::from_f64(*v).to_le_bytes())
        .collect();
    // A header of 55 bytes: the rows are not aligned for their type.
    let header = r#"{"x":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}}  "#;
    assert_eq!(
        DescriptorSet::from_bytes("f", safetensors(header, &data), None)
            .unwrap()
            .to_f32(),
        [0.5, -2.0]
    );
}

/// The bytes of an npy file of version 1.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn arrays_of_numpy() {
    let rows = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    let little: Vec<u8> = rows.iter().flat_map(|v| v.to_le_bytes()).collect();
    let big: Vec<u8> = rows.iter().flat_map(|v| f64::from(*v).to_be_bytes()).collect();
    let columns: Vec<u8> = [1.0f32, 4.0, 2.0, 5.0, 3.0, 6.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let half: Vec<u8> = rows
        .iter()
        .flat_map(|v| f16::from_f32(*v).to_be_bytes())
        .collect();
    for file in [
        npy("<f4", "False", "(2, 3)", &little),
        npy(">f8", "False", "(2, 3)", &big),
        npy("<f4", "True", "(2, 3)", &columns),
        npy(">f2", "False", "(2L, 3L)", &half),
    ] {
        let set = DescriptorSet::from_bytes("f.npy", file, None).unwrap();
        assert_eq!((set.len(), set.dim(), set.to_f32()), (2, 3, rows.to_vec()));
    }
    for (file, reason) in [
        (
            npy("<f4", "False", "(2, 4)", &little),
            "damaged or was not fully written",
        ),
        (npy("<f4", "False", "(6,)", &little), "1 axes"),
        (npy("<i4", "False", "(2, 3)", &little), "int32"),
        (npy("|O", "False", "(2, 3)", &little), "type |O"),
        (npy("<f4", "False", "(0, 0)", &[]), "no values"),
        (npy("<f4", "False", "(-2, 3)", &little), "not understood"),
        (
            npy(
                "<f4",
                "False",
                "(9223372036854775807, 9223372036854775807)",
                &little,
            ),
            "damaged or was not fully written",
        ),
        (
            npy("<f4", "__import__('os')", "(2, 3)", &little),
            "not understood",
        ),
        (b"\x93NUMPY".to_vec(), ".npy file"),
        (b"\x93NUMPY\x03\x00\xff\xff\xff\xff".to_vec(), ".npy file"),
        (
            b"not a set at all".to_vec(),
            "no npy, safetensors, torch or pickle",
        ),
        (Vec::new(), "no npy, safetensors, torch or pickle"),
    ] {
        let message = DescriptorSet::from_bytes("f.npy", file, None)
            .unwrap_err()
            .to_string();
        assert!(message.contains(reason), "{message} should say {reason}");
    }
}

#[test]
fn dirtorchs_two_files_are_opened_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.npy");
    let (database, queries) = sightline_descriptor::side_files(&out);
    assert!(database.ends_with("out.dbdescs.npy") && queries.ends_with("out.qdescs.npy"));
    for (path, names) in [
        (&database, vec!["a".to_owned(), "b".to_owned()]),
        (&queries, vec!["q".to_owned()]),
    ] {
        let mut writer = SetWriter::create(path, &SetHeader::new(&names, 2, RowType::F32)).unwrap();
        for _ in &names {
            writer.push(&[0.6, 0.8]).unwrap();
        }
        writer.finish().unwrap();
    }
    let lengths = |path: &Path| {
        let (database, queries) = sightline_descriptor::open_sides(path).unwrap();
        (database.len(), queries.map(|queries| queries.len()))
    };
    assert_eq!(lengths(&out), (2, Some(1)));
    assert_eq!(lengths(&database), (2, Some(1)));
    assert_eq!(lengths(&queries), (1, None));
    // The folder that dirtorch's --load-feats names.
    std::fs::rename(&database, folder.path().join("feats.bdescs.npy")).unwrap();
    assert_eq!(lengths(folder.path()), (2, None));
    std::fs::rename(&queries, folder.path().join("feats.qdescs.npy")).unwrap();
    assert_eq!(lengths(folder.path()), (2, Some(1)));
}

#[test]
fn arrays_of_pickles_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let db = pickled_array(&[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]);
    let query = pickled_array(&[[0.8, 0.6]]);
    let test = [
        &b"\x80\x04}(X\x02\0\0\0db"[..],
        &db,
        b"X\x05\0\0\0query",
        &query,
        b"u.",
    ]
    .concat();
    let path = write("test.pkl", &test);
    let (database, queries) = sightline_descriptor::open_sides(&path).unwrap();
    assert_eq!(
        (database.len(), database.dim(), database.has_names()),
        (3, 2, false)
    );
    assert_eq!(database.row(1), [0.6, 0.8]);
    assert_eq!(queries.unwrap().row(0), [0.8, 0.6]);
    assert_eq!(DescriptorSet::open(&path).unwrap().len(), 3);

    let bare = write("r1m.pkl", &[b"\x80\x04", &db[..], b"."].concat());
    let (database, queries) = sightline_descriptor::open_sides(&bare).unwrap();
    assert!(database.len() == 3 && queries.is_none());

    let train = [
        &b"\x80\x04}(X\x05\0\0\0train"[..],
        &db,
        b"X\x03\0\0\0val",
        &query,
        b"u.",
    ]
    .concat();
    let path = write("train.pkl", &train);
    let error = DescriptorSet::open(&path).unwrap_err().to_string();
    assert!(error.contains("train.pkl#train"), "{error}");
    let chosen = format!("{}#val", path.display());
    assert_eq!(DescriptorSet::open(chosen).unwrap().len(), 1);

    let error = DescriptorSet::open(write("cut.pkl", &test[..test.len() / 2])).unwrap_err();
    assert!(matches!(error, SetError::Damaged { .. }), "{error}");
    let error =
        DescriptorSet::open(write("code.pkl", b"\x80\x02cos\nsystem\nX\x01\0\0\0x\x85R.")).unwrap_err();
    assert!(error.to_string().contains("os.system"), "{error}");
}

/// The opcodes of a numpy array of float32, as Python 3 pickles it.
fn pickled_array(rows: &[[f32; 2]]) -> Vec<u8> {
    let values: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut out = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01".to_vec();
    out.extend([b'K', rows.len() as u8, b'K', 2, 0x86]);
    out.extend(b"cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89");
    out.push(b'B');
    out.extend((values.len() as u32).to_le_bytes());
    out.extend(values);
    out.extend(b"tb");
    out
}
