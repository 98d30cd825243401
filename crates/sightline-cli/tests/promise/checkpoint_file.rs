//! A legacy torch file with a ResNet-18 up to layer1, written byte for byte as torch did before 1.6.

use sightline::checkpoint::formula;

/// Names and shapes of a ResNet-18 that stops after layer1.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("conv1.weight".to_owned(), vec![64, 3, 7, 7])];
    let norm = |all: &mut Vec<(String, Vec<usize>)>, name: &str| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            all.push((format!("{name}.{part}"), vec![64]));
        }
    };
    norm(&mut all, "bn1");
    for block in 0..2 {
        for number in 1..=2 {
            all.push((format!("layer1.{block}.conv{number}.weight"), vec![64, 64, 3, 3]));
            norm(&mut all, &format!("layer1.{block}.bn{number}"));
        }
    }
    all
}

/// The file; `prefix` stands before every name (`module.` as DataParallel leaves it).
pub(crate) fn resnet18_to_layer1(prefix: &str) -> Vec<u8> {
    let tensors = tensors();
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    file.extend(b"\x80\x02M\xe9\x03.");
    // {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    file.extend(b"\x80\x02}(");
    text(&mut file, "protocol_version");
    file.extend(b"M\xe9\x03");
    text(&mut file, "little_endian");
    file.extend(b"\x88");
    text(&mut file, "type_sizes");
    file.extend(b"}(");
    for (name, size) in [("short", 2), ("int", 4), ("long", 4)] {
        text(&mut file, name);
        number(&mut file, size);
    }
    file.extend(b"uu.");
    file.extend(b"\x80\x02}(");
    for (index, (name, shape)) in tensors.iter().enumerate() {
        text(&mut file, &format!("{prefix}{name}"));
        tensor(&mut file, index, shape);
    }
    file.extend(b"u.\x80\x02](");
    for index in 0..tensors.len() {
        text(&mut file, &index.to_string());
    }
    file.extend(b"e.");
    for (name, shape) in &tensors {
        let values = formula::parameter(name, shape, 5);
        file.extend((values.len() as u64).to_le_bytes());
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    file
}

/// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
fn tensor(file: &mut Vec<u8>, key: usize, shape: &[usize]) {
    file.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(file, "storage");
    file.extend(b"ctorch\nFloatStorage\n");
    text(file, &key.to_string());
    text(file, "cpu");
    number(file, shape.iter().product());
    file.extend(b"NtQ");
    number(file, 0);
    let strides: Vec<usize> = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect();
    for lengths in [shape, &strides] {
        file.push(b'(');
        for length in lengths {
            number(file, *length);
        }
        file.push(b't');
    }
    file.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.push(b'X');
    file.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    file.extend(text.as_bytes());
}

fn number(file: &mut Vec<u8>, number: usize) {
    file.push(b'J');
    file.extend(i32::try_from(number).unwrap().to_le_bytes());
}
