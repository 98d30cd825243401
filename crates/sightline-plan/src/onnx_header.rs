//! What an ONNX file says of itself: inputs, outputs, metadata, and where its weights lie.
//!
//! Read without a runtime, so that every runtime is told the same, and a file can be refused before one sees it.

use crate::LoadError;
use crate::onnx_framing::is_well_framed;
use crate::protobuf::{Field, take_field};
use std::collections::BTreeSet;
use std::fmt;

/// More files than this beside a model are refused.
const MOST_FILES: usize = 1000;

/// What an ONNX file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxHeader {
    /// The inputs that a run has to be given; weights that are listed as inputs are not among them.
    pub inputs: Vec<OnnxValue>,
    /// The outputs, in the file's order.
    pub outputs: Vec<OnnxValue>,
    /// Free texts by name (`metadata_props`).
    pub metadata: Vec<(String, String)>,
    /// Files beside this one that hold weights, as it names them, each name once; those of graphs within nodes and of functions, too.
    pub external: Vec<String>,
}

/// An input or output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxValue {
    /// Its name.
    pub name: String,
    /// The type of its values by ONNX's number (`TensorProto.DataType`, 1 is float32), where the file says it.
    pub element: Option<u64>,
    /// Length of each axis, where the file fixes it; none where it does not even say how many axes there are.
    pub shape: Option<Vec<Option<usize>>>,
}

impl OnnxHeader {
    /// Reads it from the bytes of an ONNX file.
    ///
    /// # Errors
    /// When the bytes are no ONNX file, or a damaged one, or name more than 1000 files of weights.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut external = External::default();
        if bytes.is_empty() || !is_well_framed(bytes, &mut |tensor| external.add(tensor)) {
            return Err(LoadError::NotOnnx);
        }
        if external.names.len() > MOST_FILES {
            return Err(LoadError::TooManyFiles { most: MOST_FILES });
        }
        let mut header = Self {
            external: external.names,
            ..Self::default()
        };
        for (field, run) in runs(bytes) {
            match field {
                7 => header.graph(run),
                14 => header.metadata.push((
                    text_of(run, 1).unwrap_or_default(),
                    text_of(run, 2).unwrap_or_default(),
                )),
                _ => {}
            }
        }
        Ok(header)
    }

    /// The value of a metadata text.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        let found = self.metadata.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Height and width of the pictures that the one input `[N, C, H, W]` takes, where the file fixes them.
    pub fn picture_axes(&self) -> [Option<usize>; 2] {
        match self.inputs.first().and_then(|input| input.shape.as_deref()) {
            Some([_, _, height, width]) => [*height, *width],
            _ => [None; 2],
        }
    }

    /// Height and width of the pictures that it takes, where the file fixes both.
    pub fn picture_size(&self) -> Option<[usize; 2]> {
        let [height, width] = self.picture_axes();
        Some([height?, width?])
    }

    fn graph(&mut self, graph: &[u8]) {
        let mut weights = BTreeSet::new();
        for (field, run) in runs(graph) {
            match field {
                5 => weights.extend(text_of(run, 8)),
                11 => self.inputs.push(value(run)),
                12 => self.outputs.push(value(run)),
                _ => {}
            }
        }
        // Files of before 2019 list their weights as inputs, too.
        self.inputs.retain(|input| !weights.contains(&input.name));
    }
}

impl OnnxValue {
    /// Whether its values are floating-point numbers.
    pub fn is_float(&self) -> bool {
        matches!(
            self.element,
            Some(Self::FLOAT32 | Self::FLOAT16 | Self::FLOAT64 | Self::BFLOAT16)
        )
    }

    pub(crate) const FLOAT32: u64 = 1;
    pub(crate) const FLOAT16: u64 = 10;
    pub(crate) const FLOAT64: u64 = 11;
    const BFLOAT16: u64 = 16;

    /// What the type of its values is called.
    pub(crate) fn element_name(&self) -> String {
        match self.element {
            Some(Self::FLOAT32) => "float32".to_owned(),
            Some(Self::FLOAT16) => "float16".to_owned(),
            Some(Self::FLOAT64) => "float64".to_owned(),
            Some(Self::BFLOAT16) => "bfloat16".to_owned(),
            Some(other) => format!("of ONNX's type {other}"),
            None => "of no type".to_owned(),
        }
    }
}

/// Names of files that tensors lie in, in the order in which they first occur.
#[derive(Default)]
struct External {
    names: Vec<String>,
    known: BTreeSet<String>,
}

impl External {
    fn add(&mut self, tensor: &[u8]) {
        for (_, entry) in runs(tensor).filter(|(field, _)| *field == 13) {
            // Of a field that occurs twice the last counts, for some readers the first: whatever could be meant is listed.
            if !runs(entry).any(|part| part == (1, b"location")) {
                continue;
            }
            for (_, file) in runs(entry).filter(|(field, _)| *field == 2) {
                let file = String::from_utf8_lossy(file);
                // One too many is enough to be refused.
                if self.names.len() <= MOST_FILES && !self.known.contains(file.as_ref()) {
                    self.known.insert(file.clone().into_owned());
                    self.names.push(file.into_owned());
                }
            }
        }
    }
}

/// `name [N, 3, 224, 224]`; what the file leaves open is a `?`.
impl fmt::Display for OnnxValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(shape) = &self.shape {
            let axes: Vec<String> = shape
                .iter()
                .map(|axis| axis.map_or_else(|| "?".to_owned(), |axis| axis.to_string()))
                .collect();
            write!(f, " [{}]", axes.join(", "))?;
        }
        Ok(())
    }
}

fn value(bytes: &[u8]) -> OnnxValue {
    let mut value = OnnxValue {
        name: text_of(bytes, 1).unwrap_or_default(),
        ..OnnxValue::default()
    };
    let tensor = run_of(bytes, 2).and_then(|kind| run_of(kind, 1));
    let Some(tensor) = tensor else {
        return value;
    };
    value.element = int_of(tensor, 1);
    value.shape = run_of(tensor, 2).map(|shape| {
        runs(shape)
            .filter(|(field, _)| *field == 1)
            .map(|(_, axis)| int_of(axis, 1).and_then(|length| usize::try_from(length as i64).ok()))
            .map(|length| length.filter(|length| *length > 0))
            .collect()
    });
    value
}

/// The fields of a message that are runs of bytes. The framing was checked before, so nothing is left behind the last.
fn runs(mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            match take_field(&mut bytes)? {
                (field, Field::Run(run)) => return Some((field, run)),
                _ => continue,
            }
        }
    })
}

fn run_of(bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    runs(bytes)
        .find(|(field, _)| *field == wanted)
        .map(|(_, run)| run)
}

fn text_of(bytes: &[u8], wanted: u64) -> Option<String> {
    run_of(bytes, wanted).map(|run| String::from_utf8_lossy(run).into_owned())
}

fn int_of(mut bytes: &[u8], wanted: u64) -> Option<u64> {
    loop {
        match take_field(&mut bytes)? {
            (field, Field::Int(int)) if field == wanted => return Some(int),
            _ => continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::Message;
    use crate::{Operation, Plan};

    #[test]
    fn a_plan_says_what_it_takes_and_gives() {
        let (mut plan, image) = Plan::new(3);
        let mean = plan.step(Operation::GlobalMean, &[image]);
        plan.output("mean", mean);
        plan.output("map", image);
        let header = OnnxHeader::read(&plan.to_onnx()).unwrap();
        assert_eq!(header.inputs.len(), 1);
        assert_eq!(header.inputs[0].shape, Some(vec![None, Some(3), None, None]));
        assert_eq!(header.picture_size(), None);
        assert_eq!(header.outputs[0].to_string(), "mean [?, ?]");
        assert_eq!(header.outputs[1].to_string(), "map [?, ?, ?, ?]");
        assert!(header.outputs[0].is_float() && header.metadata.is_empty() && header.external.is_empty());

        let (mut plan, image) = Plan::for_size(3, [20, 30]);
        plan.output("map", image);
        let metadata = [("a", "b"), ("c", "")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let header = OnnxHeader::read(&plan.to_onnx_with(&metadata)).unwrap();
        assert_eq!(header.picture_size(), Some([20, 30]));
        assert_eq!(header.metadata("a"), Some("b"));
        assert_eq!((header.metadata("c"), header.metadata("d")), (Some(""), None));
    }

    #[test]
    fn weights_in_other_files_and_weights_among_the_inputs_are_seen() {
        let entry = |key: &str, value: &str| Message::new().text(1, key).text(2, value);
        let tensor = Message::new()
            .text(8, "w")
            .message(13, &entry("location", "model.onnx.data"))
            .message(13, &entry("offset", "16"));
        let graph = Message::new()
            .message(5, &tensor)
            .message(11, &Message::new().text(1, "w"))
            .message(11, &Message::new().text(1, "x"));
        let header = OnnxHeader::read(&Message::new().message(7, &graph).bytes).unwrap();
        assert_eq!(header.external, ["model.onnx.data"]);
        assert_eq!(header.inputs.len(), 1);
        assert_eq!(header.inputs[0].to_string(), "x");
    }

    fn in_file(name: &str) -> Message {
        Message::new().message(13, &Message::new().text(1, "location").text(2, name))
    }

    #[test]
    fn weights_are_seen_wherever_a_tensor_may_lie() {
        let attribute = |field: u32, content: &Message| {
            Message::new().message(5, &Message::new().message(field, content))
        };
        let graph_of = |node: &Message| Message::new().message(1, node);
        let inner = Message::new().message(5, &in_file("in a branch"));
        let deeper = graph_of(&attribute(11, &graph_of(&attribute(10, &in_file("in a list")))));
        let sparse = Message::new().message(1, &in_file("sparse"));
        let twice = Message::new().text(1, "location").text(2, "w").text(2, "../x");
        let graph = graph_of(&attribute(5, &in_file("in a node")))
            .message(1, &attribute(6, &inner))
            .message(1, &attribute(6, &deeper))
            .message(15, &sparse)
            .message(5, &Message::new().message(13, &twice));
        let function = Message::new()
            .message(7, &attribute(5, &in_file("in a function")))
            .message(11, &Message::new().message(5, &in_file("in its default")));
        let model = Message::new().message(7, &graph).message(25, &function);
        let header = OnnxHeader::read(&model.bytes).unwrap();
        let want = [
            "in a node",
            "in a branch",
            "in a list",
            "sparse",
            "w",
            "../x",
            "in a function",
            "in its default",
        ];
        assert_eq!(header.external, want);
    }

    #[test]
    fn files_without_end_are_refused() {
        let with = |count: usize| {
            let names = (0..count).map(|i| format!("w{}", i % (MOST_FILES + 1)));
            let graph = names.fold(Message::new(), |graph, name| graph.message(5, &in_file(&name)));
            OnnxHeader::read(&Message::new().message(7, &graph).bytes)
        };
        assert_eq!(with(MOST_FILES).unwrap().external.len(), MOST_FILES);
        assert!(matches!(
            with(200 * MOST_FILES),
            Err(LoadError::TooManyFiles { most: MOST_FILES })
        ));
    }

    #[test]
    fn what_is_no_onnx_file_is_refused() {
        for bytes in [&b""[..], b"\x89PNG\r\n", &[0xff; 64]] {
            assert!(matches!(OnnxHeader::read(bytes), Err(LoadError::NotOnnx)));
        }
    }
}
