//! Checking the framing of somebody else's ONNX file before a runtime sees it.
//!
//! Every length must lie inside the message around it and every varint must end: `rten-onnx` 0.27 loops for ever
//! on a varint of more than ten bytes. What the fields mean is the runtime's to judge.

use crate::protobuf::{Field, take_field, take_varint};

/// The messages that a runtime decodes, or that hold tensors, by where they occur in `onnx.proto3`.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    SequenceType,
    /// A message without messages in it.
    Flat,
}

/// What lies behind a length.
enum Content {
    Message(Message),
    Varints,
    Bytes,
}

/// Graphs within attributes and sequences of sequences may nest this deep.
const DEPTH: usize = 64;

/// Whether `bytes` are framed as an ONNX model. `on_tensor` is shown every tensor whose framing is right, in the order of the
/// file: of graphs, of graphs within them, of functions.
pub(crate) fn is_well_framed(bytes: &[u8], on_tensor: &mut dyn FnMut(&[u8])) -> bool {
    walk(bytes, Message::Model, 0, on_tensor).is_some()
}

fn walk(whole: &[u8], message: Message, depth: usize, on_tensor: &mut dyn FnMut(&[u8])) -> Option<()> {
    let mut bytes = whole;
    if depth > DEPTH {
        return None;
    }
    while !bytes.is_empty() {
        let (field, Field::Run(mut content)) = take_field(&mut bytes)? else {
            continue;
        };
        match message.content(field) {
            Content::Message(inner) => walk(content, inner, depth + 1, on_tensor)?,
            Content::Varints => {
                while !content.is_empty() {
                    take_varint(&mut content)?;
                }
            }
            Content::Bytes => {}
        }
    }
    if matches!(message, Message::Tensor) {
        on_tensor(whole);
    }
    Some(())
}

impl Message {
    fn content(self, field: u64) -> Content {
        Content::Message(match (self, field) {
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::ValueInfo, 2) | (Self::SequenceType, 1) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::Type, 4) => Self::SequenceType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8 | 14) | (Self::Tensor, 13) | (Self::Shape, 1) => Self::Flat,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7) => return Content::Varints,
            _ => return Content::Bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_checked_at_every_depth() {
        let is_well_framed = |bytes: &[u8]| is_well_framed(bytes, &mut |_| {});
        assert!(is_well_framed(&[]));
        assert!(is_well_framed(&[0x08, 0x08, 0x3a, 0x02, 0x12, 0x00]));
        // A length beyond the end, a varint that never ends, the same inside a graph's node.
        assert!(!is_well_framed(&[0x3a, 0x05, 0x12]));
        assert!(!is_well_framed(&[0xff; 4096]));
        let endless = [&[0x3a_u8, 14, 0x0a, 12][..], &[0x0a], &[0xff; 11]].concat();
        assert!(!is_well_framed(&endless));
        // A graph in an attribute of a node of a graph in an attribute ...
        let mut nested = Vec::new();
        for _ in 0..40 {
            for field in [6_u8, 5, 1] {
                let mut outer = vec![field << 3 | 2];
                let mut length = nested.len();
                while length >= 0x80 {
                    outer.push(length as u8 | 0x80);
                    length >>= 7;
                }
                outer.push(length as u8);
                outer.extend(nested);
                nested = outer;
            }
        }
        assert!(walk(&nested, Message::Graph, 0, &mut |_| {}).is_none());
    }
}
