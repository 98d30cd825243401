//! Writing a plan as an ONNX file (operator set 17).
//!
//! Field numbers are those of `onnx.proto3` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>).

use crate::plan::{Convolution, Interpolation, Operation, Plan, Source, Value, Window};
use crate::protobuf::Message;
use std::collections::BTreeSet;

const FLOAT: i64 = 1;
const INT64: i64 = 7;

impl Plan {
    /// The plan as the bytes of an ONNX file: one input (`image`, unless [named otherwise](Plan::with_input_name)) `[N, C, H, W]` with free N, free H and W unless
    /// the plan is made for one size, and the plan's outputs under their names.
    pub fn to_onnx(&self) -> Vec<u8> {
        self.to_onnx_with(&[])
    }

    /// As [`Plan::to_onnx`], with texts by name (`metadata_props`).
    ///
    /// A linear layer is written as a 1x1 convolution of a one-pixel map: the same numbers, but a runtime then
    /// has no reason to switch between matrix-vector and matrix-matrix kernels (which round differently) with
    /// the number of pictures or threads.
    pub fn to_onnx_with(&self, metadata: &[(String, String)]) -> Vec<u8> {
        let mut graph = Graph {
            plan: self,
            message: Message::new(),
            extra: 0,
            read: BTreeSet::new(),
        };
        for (index, source) in self.values.iter().enumerate() {
            if let Source::Step(step) = source {
                graph.step(&step.operation, &step.inputs, Value(index));
            }
        }
        // An output that is also read by other operations, or named twice, gets a name of its own this way.
        for (name, value) in &self.outputs {
            let from = graph.name(*value);
            graph.node("Identity", &[&from], name, &[]);
        }
        graph.message = graph.message.text(2, "plan");
        let pixels = match self.size {
            Some(size) => size.map(Dimension::Known),
            None => [Dimension::Named("H"), Dimension::Named("W")],
        };
        let input = [Dimension::Named("N"), Dimension::Known(self.channels)];
        let input = value_info(self.input, &[input, pixels].concat());
        graph.message = graph.message.message(11, &input);
        for (name, value) in &self.outputs {
            let mut shape = vec![Dimension::Any; self.rank(*value)];
            if let Some(first) = shape.first_mut() {
                *first = Dimension::Named("N");
            }
            graph.message = graph.message.message(12, &value_info(name, &shape));
        }
        // A matrix that only linear layers read is in the file already, as a kernel.
        for (index, source) in self.values.iter().enumerate() {
            if let Source::Constant(tensor) = source {
                let name = graph.name(Value(index));
                if graph.read.contains(&name) {
                    graph.weight(&name, &tensor.shape, &tensor.data);
                }
            }
        }
        let operators = Message::new().text(1, "").int(2, 17);
        let mut model = Message::new()
            .int(1, 8)
            .text(2, "sightline")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(8, &operators);
        for (name, value) in metadata {
            model = model.message(14, &Message::new().text(1, name).text(2, value));
        }
        model.around(7, graph.message).bytes
    }
}

/// The graph message under construction.
struct Graph<'a> {
    plan: &'a Plan,
    message: Message,
    /// Number of values that exist in the file only.
    extra: usize,
    /// Names that some node reads.
    read: BTreeSet<String>,
}

enum Attribute<'a> {
    Int(&'a str, i64),
    Ints(&'a str, Vec<i64>),
    Float(&'a str, f32),
    Text(&'a str, &'a str),
}

#[derive(Clone, Copy)]
enum Dimension {
    Known(usize),
    /// Any size, but the same wherever the name stands.
    Named(&'static str),
    Any,
}

impl Graph<'_> {
    fn step(&mut self, operation: &Operation, inputs: &[Value], output: Value) {
        let names: Vec<String> = inputs.iter().map(|input| self.name(*input)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let out = self.name(output);
        match operation {
            Operation::Conv2d(convolution) => self.node("Conv", &names, &out, &walk(*convolution)),
            Operation::BatchNorm { epsilon } => self.node(
                "BatchNormalization",
                &names,
                &out,
                &[Attribute::Float("epsilon", *epsilon)],
            ),
            Operation::Relu => self.node("Relu", &names, &out, &[]),
            Operation::MaxPool(window) => self.node("MaxPool", &names, &out, &windows(*window)),
            Operation::MeanPool {
                window,
                padding_counts,
            } => {
                let mut attributes = windows(*window);
                attributes.push(Attribute::Int("count_include_pad", i64::from(*padding_counts)));
                self.node("AveragePool", &names, &out, &attributes);
            }
            Operation::ReflectPad(cells) => {
                let cells = *cells as i64;
                let pads = self.ints(&[0, 0, cells, cells, 0, 0, cells, cells]);
                let how = [Attribute::Text("mode", "reflect")];
                self.node("Pad", &[names[0], &pads], &out, &how);
            }
            Operation::Crop(region) => {
                let starts = self.ints(&pair([region.top, region.left]));
                let ends = self.ints(&pair([region.top + region.height, region.left + region.width]));
                let axes = self.ints(&[2, 3]);
                self.node("Slice", &[names[0], &starts, &ends, &axes], &out, &[]);
            }
            Operation::GlobalMean => self.pooled("GlobalAveragePool", &names, &out),
            Operation::GlobalSum => {
                let axes = self.ints(&[2, 3]);
                let keep = [Attribute::Int("keepdims", 0)];
                self.node("ReduceSum", &[names[0], &axes], &out, &keep);
            }
            Operation::GlobalMax => self.pooled("GlobalMaxPool", &names, &out),
            Operation::Add => self.node("Add", &names, &out, &[]),
            Operation::Mul => self.node("Mul", &names, &out, &[]),
            Operation::Div => self.node("Div", &names, &out, &[]),
            Operation::Pow => self.node("Pow", &names, &out, &[]),
            Operation::ClampMin(least) => {
                let least = self.number(*least);
                self.node("Clip", &[names[0], &least], &out, &[]);
            }
            Operation::Sqrt => self.node("Sqrt", &names, &out, &[]),
            Operation::Abs => self.node("Abs", &names, &out, &[]),
            Operation::Sign => self.sign(names[0], &out),
            Operation::Sigmoid => self.node("Sigmoid", &names, &out, &[]),
            Operation::Softplus => self.softplus(names[0], &out),
            Operation::Gelu => self.gelu(names[0], &out),
            Operation::Softmax { axis } => {
                let axis = [Attribute::Int("axis", *axis as i64)];
                self.node("Softmax", &names, &out, &axis);
            }
            Operation::Reshape(shape) => {
                let shape = self.ints(shape);
                self.node("Reshape", &[names[0], &shape], &out, &[]);
            }
            Operation::ReshapeLike => {
                let (front, back, shape) = (self.ints(&[0, -1]), self.fresh(), self.fresh());
                self.node("Shape", &[names[1]], &back, &[Attribute::Int("start", 2)]);
                self.node("Concat", &[&front, &back], &shape, &[Attribute::Int("axis", 0)]);
                self.node("Reshape", &[names[0], &shape], &out, &[]);
            }
            Operation::Permute(axes) => {
                let axes = axes.iter().map(|axis| *axis as i64).collect();
                self.node("Transpose", &names, &out, &[Attribute::Ints("perm", axes)]);
            }
            Operation::MatMul => self.node("MatMul", &names, &out, &[]),
            Operation::LayerNorm { epsilon } => self.layer_norm(*epsilon, &names, &out),
            Operation::Attention { heads, width } => self.attention(*heads, *width, &names, &out),
            Operation::Channels { from, to } => {
                let end = to.map_or(i64::MAX, |to| to as i64);
                let (starts, ends, axes) = (self.ints(&[*from as i64]), self.ints(&[end]), self.ints(&[1]));
                self.node("Slice", &[names[0], &starts, &ends, &axes], &out, &[]);
            }
            Operation::SumChannels => {
                let axes = self.ints(&[1]);
                let keep = [Attribute::Int("keepdims", 1)];
                self.node("ReduceSum", &[names[0], &axes], &out, &keep);
            }
            Operation::Linear => self.linear(inputs, &names, &out),
            Operation::StackPixels => {
                let axes = self.ints(&[2, 3]);
                let mut pixels = Vec::with_capacity(names.len());
                for name in &names {
                    let pixel = self.fresh();
                    self.node("Unsqueeze", &[name, &axes], &pixel, &[]);
                    pixels.push(pixel);
                }
                let pixels: Vec<&str> = pixels.iter().map(String::as_str).collect();
                self.node("Concat", &pixels, &out, &[Attribute::Int("axis", 2)]);
            }
            Operation::Concat { axis } => {
                let axis = [Attribute::Int("axis", *axis as i64)];
                self.node("Concat", &names, &out, &axis);
            }
            Operation::ResizeLike(interpolation) => self.resize_like(*interpolation, &names, &out),
        }
    }

    /// A global pooling, its one-pixel axes removed.
    fn pooled(&mut self, kind: &str, names: &[&str], out: &str) {
        let map = self.fresh();
        self.node(kind, names, &map, &[]);
        self.node("Flatten", &[&map], out, &[Attribute::Int("axis", 1)]);
    }

    fn linear(&mut self, inputs: &[Value], names: &[&str], out: &str) {
        // The kernel is the matrix with two more axes.
        let kernel = self.fresh();
        match self.plan.constant_of(inputs[1]) {
            Some(matrix) => {
                let shape = [&matrix.shape[..], &[1, 1]].concat();
                self.weight(&kernel, &shape, &matrix.data);
            }
            None => {
                let axes = self.ints(&[2, 3]);
                self.node("Unsqueeze", &[names[1], &axes], &kernel, &[]);
            }
        }
        let bias = names.get(2).copied();
        if self.plan.rank(inputs[0]) == 4 {
            let inputs: Vec<&str> = [names[0], &kernel].into_iter().chain(bias).collect();
            self.node("Conv", &inputs, out, &walk(Convolution::default()));
            return;
        }
        let (pixel, map, axes) = (self.fresh(), self.fresh(), self.ints(&[2, 3]));
        self.node("Unsqueeze", &[names[0], &axes], &pixel, &[]);
        let inputs: Vec<&str> = [pixel.as_str(), &kernel].into_iter().chain(bias).collect();
        self.node("Conv", &inputs, &map, &walk(Convolution::default()));
        self.node("Flatten", &[&map], out, &[Attribute::Int("axis", 1)]);
    }

    /// x over the larger of |x| and the smallest normal number: `rten`'s sign of zero is 1.
    fn sign(&mut self, x: &str, out: &str) {
        let (size, floored, least) = (self.fresh(), self.fresh(), self.number(f32::MIN_POSITIVE));
        self.node("Abs", &[x], &size, &[]);
        self.node("Clip", &[&size, &least], &floored, &[]);
        self.node("Div", &[x, &floored], out, &[]);
    }

    /// max(x, softplus(min(x, 20))): `rten` takes the exponential of the number as it is, which overflows from 89 on.
    fn softplus(&mut self, x: &str, out: &str) {
        let (small, soft, most) = (self.fresh(), self.fresh(), self.number(20.0));
        self.node("Clip", &[x, "", &most], &small, &[]);
        self.node("Softplus", &[&small], &soft, &[]);
        self.node("Max", &[x, &soft], out, &[]);
    }

    /// x (1 + erf(x / √2)) / 2; the operator `Gelu` came with a later operator set.
    fn gelu(&mut self, x: &str, out: &str) {
        let [root, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|number| self.number(number));
        let [scaled, erf, lifted, product] = [(); 4].map(|()| self.fresh());
        self.node("Mul", &[x, &root], &scaled, &[]);
        self.node("Erf", &[&scaled], &erf, &[]);
        self.node("Add", &[&erf, &one], &lifted, &[]);
        self.node("Mul", &[x, &lifted], &product, &[]);
        self.node("Mul", &[&product, &half], out, &[]);
    }

    /// The operator normalises the last axes, so the channels go there and come back.
    fn layer_norm(&mut self, epsilon: f32, names: &[&str], out: &str) {
        let [pixels, normal] = [(); 2].map(|()| self.fresh());
        let last = [Attribute::Ints("perm", vec![0, 2, 3, 1])];
        self.node("Transpose", &[names[0]], &pixels, &last);
        let over = [Attribute::Int("axis", -1), Attribute::Float("epsilon", epsilon)];
        self.node(
            "LayerNormalization",
            &[&pixels, names[1], names[2]],
            &normal,
            &over,
        );
        let back = [Attribute::Ints("perm", vec![0, 3, 1, 2])];
        self.node("Transpose", &[&normal], out, &back);
    }

    fn attention(&mut self, heads: usize, width: usize, names: &[&str], out: &str) {
        let part = width / heads.max(1);
        let divided = self.ints(&[0, heads as i64, part as i64, -1]);
        let turned = || [Attribute::Ints("perm", vec![0, 1, 3, 2])];
        let [q, k, v] = [0, 1, 2].map(|input| {
            let divided_input = self.fresh();
            self.node("Reshape", &[names[input], &divided], &divided_input, &[]);
            divided_input
        });
        let [rows, values, product, seen, map] = [(); 5].map(|()| self.fresh());
        self.node("Transpose", &[&q], &rows, &turned());
        self.node("Transpose", &[&v], &values, &turned());
        self.node("MatMul", &[&rows, &k], &product, &[]);
        let (scale, mut logits) = (self.number((part as f32).powf(-0.5)), self.fresh());
        self.node("Mul", &[&product, &scale], &logits, &[]);
        if let Some(hidden) = names.get(3) {
            let all = std::mem::replace(&mut logits, self.fresh());
            self.node("Add", &[&all, hidden], &logits, &[]);
        }
        let weights = self.fresh();
        self.node("Softmax", &[&logits], &weights, &[Attribute::Int("axis", 3)]);
        self.node("MatMul", &[&weights, &values], &seen, &[]);
        self.node("Transpose", &[&seen], &map, &turned());
        let joined = self.ints(&[0, width as i64, -1, 1]);
        self.node("Reshape", &[&map, &joined], out, &[]);
    }

    fn resize_like(&mut self, interpolation: Interpolation, names: &[&str], out: &str) {
        let (front, back, sizes) = (self.fresh(), self.fresh(), self.fresh());
        let upto = [Attribute::Int("start", 0), Attribute::Int("end", 2)];
        self.node("Shape", &[names[0]], &front, &upto);
        self.node("Shape", &[names[1]], &back, &[Attribute::Int("start", 2)]);
        self.node("Concat", &[&front, &back], &sizes, &[Attribute::Int("axis", 0)]);
        let how = match interpolation {
            Interpolation::Nearest => [
                Attribute::Text("mode", "nearest"),
                Attribute::Text("coordinate_transformation_mode", "asymmetric"),
                Attribute::Text("nearest_mode", "floor"),
            ],
            Interpolation::BilinearAlignedCorners => [
                Attribute::Text("mode", "linear"),
                Attribute::Text("coordinate_transformation_mode", "align_corners"),
                Attribute::Text("nearest_mode", "floor"),
            ],
        };
        self.node("Resize", &[names[0], "", "", &sizes], out, &how);
    }

    fn node(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[Attribute<'_>]) {
        let mut node = Message::new();
        for input in inputs {
            node = node.text(1, input);
            self.read.insert((*input).to_owned());
        }
        node = node
            .text(2, output)
            .text(3, &format!("{kind}:{output}"))
            .text(4, kind);
        for attribute in attributes {
            node = node.message(5, &attribute.message());
        }
        self.message = std::mem::take(&mut self.message).message(1, &node);
    }

    fn weight(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let tensor = tensor_head(name, shape, FLOAT).floats(9, values);
        self.message = std::mem::take(&mut self.message).message(5, &tensor);
    }

    /// A scalar constant; its name.
    fn number(&mut self, value: f32) -> String {
        let name = self.fresh();
        self.weight(&name, &[], &[value]);
        name
    }

    /// A constant list of whole numbers; its name.
    fn ints(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        let mut tensor = tensor_head(&name, &[values.len()], INT64);
        for value in values {
            tensor = tensor.int(7, *value);
        }
        self.message = std::mem::take(&mut self.message).message(5, &tensor);
        name
    }

    fn name(&self, value: Value) -> String {
        match self.plan.values.get(value.0) {
            Some(Source::Input) | None => self.plan.input.to_owned(),
            Some(Source::Constant(_)) => format!("constant{}", value.0),
            Some(Source::Step(_)) => format!("value{}", value.0),
        }
    }

    fn fresh(&mut self) -> String {
        self.extra += 1;
        format!("extra{}", self.extra)
    }
}

impl Attribute<'_> {
    fn message(&self) -> Message {
        match self {
            Self::Float(name, value) => Message::new().text(1, name).float(2, *value).int(20, 1),
            Self::Int(name, value) => Message::new().text(1, name).int(3, *value).int(20, 2),
            Self::Text(name, text) => Message::new().text(1, name).text(4, text).int(20, 3),
            Self::Ints(name, values) => {
                let mut message = Message::new().text(1, name);
                for value in values {
                    message = message.int(8, *value);
                }
                message.int(20, 7)
            }
        }
    }
}

fn walk(convolution: Convolution) -> Vec<Attribute<'static>> {
    vec![
        Attribute::Ints("strides", pair(convolution.stride)),
        Attribute::Ints("pads", both_sides(convolution.padding)),
        Attribute::Ints("dilations", pair(convolution.dilation)),
        Attribute::Int("group", convolution.groups as i64),
    ]
}

fn windows(window: Window) -> Vec<Attribute<'static>> {
    vec![
        Attribute::Ints("kernel_shape", pair(window.size)),
        Attribute::Ints("strides", pair(window.stride)),
        Attribute::Ints("pads", both_sides(window.padding)),
        Attribute::Int("ceil_mode", i64::from(window.ceil)),
    ]
}

fn pair([vertical, horizontal]: [usize; 2]) -> Vec<i64> {
    vec![vertical as i64, horizontal as i64]
}

fn both_sides(padding: [usize; 2]) -> Vec<i64> {
    [pair(padding), pair(padding)].concat()
}

fn tensor_head(name: &str, shape: &[usize], kind: i64) -> Message {
    let mut tensor = Message::new();
    for axis in shape {
        tensor = tensor.int(1, *axis as i64);
    }
    tensor.int(2, kind).text(8, name)
}

/// A graph input or output of type float32.
fn value_info(name: &str, dimensions: &[Dimension]) -> Message {
    let mut shape = Message::new();
    for dimension in dimensions {
        let dimension = match dimension {
            Dimension::Known(size) => Message::new().int(1, *size as i64),
            Dimension::Named(name) => Message::new().text(2, name),
            Dimension::Any => Message::new(),
        };
        shape = shape.message(1, &dimension);
    }
    let kind = Message::new().int(1, FLOAT).message(2, &shape);
    let kind = Message::new().message(1, &kind);
    Message::new().text(1, name).message(2, &kind)
}
