//! A tiny foreign ONNX file: one convolution, its map `[1, 4, h, w]` and the same as tokens `[1, h w, 4]`.

use sightline::checkpoint::formula;

/// What differs between the files of the tests.
pub(crate) struct Foreign {
    /// Height and width of the input, where the file fixes them.
    pub(crate) size: Option<u64>,
    /// Names of the outputs that the file gives, of `map` and `tokens`.
    pub(crate) outputs: &'static [&'static str],
    /// What the node before the tokens is called; `Transpose` works.
    pub(crate) operator: &'static str,
    /// A file that the weights are said to lie in.
    pub(crate) external: Option<&'static str>,
}

impl Default for Foreign {
    fn default() -> Self {
        Self {
            size: None,
            outputs: &["map", "tokens"],
            operator: "Transpose",
            external: None,
        }
    }
}

impl Foreign {
    /// The file. Field numbers are those of `onnx.proto3`.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let ints = |name: &str, values: &[u64]| {
            let values = values.iter().flat_map(|value| int(8, *value));
            text(1, name)
                .into_iter()
                .chain(values)
                .chain(int(20, 7))
                .collect::<Vec<u8>>()
        };
        let strides = ints("strides", &[8, 8]);
        let window = ints("kernel_shape", &[8, 8]);
        let order = ints("perm", &[0, 2, 1]);
        let mut graph = node("Conv", &["image", "kernel"], "map", &[&strides, &window]);
        graph.extend(node("Reshape", &["map", "shape"], "flat", &[]));
        graph.extend(node(self.operator, &["flat"], "tokens", &[&order]));
        graph.extend(text(2, "foreign"));
        graph.extend(run(5, &self.kernel()));
        let shape: Vec<u8> = [0_i64, 4, -1]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        graph.extend(run(5, &tensor("shape", &[3], 7, &shape)));
        let sides = [self.size, self.size];
        graph.extend(run(11, &value("image", &[Some(1), Some(3), sides[0], sides[1]])));
        for output in self.outputs {
            let axes: &[Option<u64>] = match *output {
                "map" => &[Some(1), Some(4), None, None],
                _ => &[Some(1), None, Some(4)],
            };
            graph.extend(run(12, &value(output, axes)));
        }
        let operators = [text(1, ""), int(2, 17)].concat();
        [int(1, 8), run(8, &operators), run(7, &graph)].concat()
    }

    fn kernel(&self) -> Vec<u8> {
        let values = Self::kernel_bytes();
        let Some(file) = self.external else {
            return tensor("kernel", &[4, 3, 8, 8], 1, &values);
        };
        let mut tensor = tensor("kernel", &[4, 3, 8, 8], 1, &[]);
        for (key, value) in [
            ("location", file),
            ("offset", "0"),
            ("length", &values.len().to_string()),
        ] {
            tensor.extend(run(13, &[text(1, key), text(2, value)].concat()));
        }
        tensor.extend(int(14, 1));
        tensor
    }

    /// The weights, as they lie in a file of their own.
    pub(crate) fn kernel_bytes() -> Vec<u8> {
        formula::parameter("kernel", &[4, 3, 8, 8], 3)
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }
}

fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[&[u8]]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
    node.extend([text(2, output), text(4, kind)].concat());
    for attribute in attributes {
        node.extend(run(5, attribute));
    }
    run(1, &node)
}

fn tensor(name: &str, shape: &[u64], kind: u64, values: &[u8]) -> Vec<u8> {
    let mut tensor: Vec<u8> = shape.iter().flat_map(|axis| int(1, *axis)).collect();
    tensor.extend([int(2, kind), text(8, name)].concat());
    if !values.is_empty() {
        tensor.extend(run(9, values));
    }
    tensor
}

fn value(name: &str, axes: &[Option<u64>]) -> Vec<u8> {
    let shape: Vec<u8> = axes
        .iter()
        .flat_map(|axis| run(1, &axis.map(|axis| int(1, axis)).unwrap_or_default()))
        .collect();
    let tensor = [int(1, 1), run(2, &shape)].concat();
    [text(1, name), run(2, &run(1, &tensor))].concat()
}

fn text(field: u64, text: &str) -> Vec<u8> {
    run(field, text.as_bytes())
}

fn run(field: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn int(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
