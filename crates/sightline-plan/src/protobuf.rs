//! Just enough of the Protocol Buffers wire format to write an ONNX file and to walk through one: every field is a
//! varint, a number of 4 or 8 bytes, or a run of bytes (<https://protobuf.dev/programming-guides/encoding>).

/// A message under construction.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, 0);
        self.varint(value as u64); // negative numbers are their two's complement, ten bytes long
        self
    }

    pub(crate) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn text(mut self, field: u32, text: &str) -> Self {
        self.run(field, text.as_bytes());
        self
    }

    pub(crate) fn message(mut self, field: u32, message: &Message) -> Self {
        self.run(field, &message.bytes);
        self
    }

    /// Little-endian floats as a field of type `bytes`.
    pub(crate) fn floats(mut self, field: u32, values: &[f32]) -> Self {
        self.key(field, 2);
        self.varint(4 * values.len() as u64);
        self.bytes.reserve(4 * values.len());
        for value in values {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
        self
    }

    /// Adds the large last field of a message: its bytes are moved behind the few that came before instead of
    /// being copied into a second buffer.
    pub(crate) fn around(mut self, field: u32, message: Message) -> Self {
        self.key(field, 2);
        self.varint(message.bytes.len() as u64);
        let mut bytes = message.bytes;
        bytes.splice(0..0, self.bytes);
        Self { bytes }
    }

    fn run(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// The value of a field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Int(u64),
    Run(&'a [u8]),
    /// A number of 4 or 8 bytes, which nothing here asks for.
    Fixed,
}

/// Takes a field's number and value off the front; none where the bytes are no such field.
pub(crate) fn take_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = take_varint(bytes)?;
    let value = match key & 7 {
        0 => Field::Int(take_varint(bytes)?),
        1 => {
            *bytes = bytes.get(8..)?;
            Field::Fixed
        }
        2 => {
            let length = usize::try_from(take_varint(bytes)?).ok()?;
            let run = bytes.get(..length)?;
            *bytes = &bytes[length..];
            Field::Run(run)
        }
        5 => {
            *bytes = bytes.get(4..)?;
            Field::Fixed
        }
        _ => return None, // groups, which ONNX does not use
    };
    Some((key >> 3, value))
}

/// Takes a varint of at most ten bytes off the front.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
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
    fn encodes_the_examples_of_the_specification() {
        assert_eq!(Message::new().int(1, 150).bytes, [0x08, 0x96, 0x01]);
        assert_eq!(
            Message::new().text(2, "testing").bytes,
            [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]
        );
        let inner = Message::new().int(1, 150);
        let copied = Message::new().text(1, "x").message(3, &inner).bytes;
        assert_eq!(Message::new().text(1, "x").around(3, inner).bytes, copied);
        assert_eq!(copied[3..], [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
