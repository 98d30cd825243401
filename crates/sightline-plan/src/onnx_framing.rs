//! Checking the framing of somebody else's ONNX file before a runtime sees it.
//!
//! Every length must lie inside the message around it and every varint must end: `rten-onnx` 0.27 loops for ever
//! on a varint of more than ten bytes. What the fields mean is the runtime's to judge.

/// The messages that a runtime decodes, by where they occur in `onnx.proto3`.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
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

/// Whether `bytes` are framed as an ONNX model.
pub(crate) fn is_well_framed(bytes: &[u8]) -> bool {
    walk(bytes, Message::Model, 0).is_some()
}

fn walk(mut bytes: &[u8], message: Message, depth: usize) -> Option<()> {
    if depth > DEPTH {
        return None;
    }
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => {
                varint(&mut bytes)?;
            }
            1 => bytes = bytes.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let mut content = bytes.get(..length)?;
                bytes = &bytes[length..];
                match message.content(key >> 3) {
                    Content::Message(inner) => walk(content, inner, depth + 1)?,
                    Content::Varints => {
                        while !content.is_empty() {
                            varint(&mut content)?;
                        }
                    }
                    Content::Bytes => {}
                }
            }
            5 => bytes = bytes.get(4..)?,
            _ => return None, // groups, which ONNX does not use
        }
    }
    Some(())
}

impl Message {
    fn content(self, field: u64) -> Content {
        Content::Message(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Node, 5) => Self::Attribute,
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

/// Takes a varint of at most ten bytes off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_checked_at_every_depth() {
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
        assert!(walk(&nested, Message::Graph, 0).is_none());
    }
}
