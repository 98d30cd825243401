//! Types of elements, under torch's and numpy's names.

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
    Complex64,
    Complex128,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
        }
    }

    /// Bytes that change places when the byte order changes: half an element of complex types.
    pub(crate) fn swapped_unit(self) -> usize {
        match self {
            Self::Complex64 | Self::Complex128 => self.size() / 2,
            _ => self.size(),
        }
    }

    /// Torch's name, such as `float32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
        }
    }

    /// The type of a torch name, aliases (`half`, `float`, `double`, `long`, ...) included.
    pub fn from_torch_name(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "uint8" => Self::U8,
            "int8" => Self::I8,
            "uint16" => Self::U16,
            "int16" | "short" => Self::I16,
            "uint32" => Self::U32,
            "int32" | "int" => Self::I32,
            "uint64" => Self::U64,
            "int64" | "long" => Self::I64,
            "float16" | "half" => Self::F16,
            "bfloat16" => Self::Bf16,
            "float32" | "float" => Self::F32,
            "float64" | "double" => Self::F64,
            "complex64" | "cfloat" => Self::Complex64,
            "complex128" | "cdouble" => Self::Complex128,
            _ => return None,
        })
    }

    /// The type and byte order (`true`: big endian) of numpy's text: `<f4`, `>i8`, `|u1`, `f4` (native, taken as
    /// little endian), `=f4`. `None` for text, objects, dates and structures.
    pub fn from_numpy(text: &str) -> Option<(Self, bool)> {
        let (order, kind) = match text.as_bytes().first()? {
            b'<' | b'=' | b'|' => (false, &text[1..]),
            b'>' => (true, &text[1..]),
            _ => (false, text),
        };
        let dtype = match kind {
            "b1" | "?" => Self::Bool,
            "u1" => Self::U8,
            "i1" => Self::I8,
            "u2" => Self::U16,
            "i2" => Self::I16,
            "u4" => Self::U32,
            "i4" => Self::I32,
            "u8" => Self::U64,
            "i8" => Self::I64,
            "f2" => Self::F16,
            "f4" => Self::F32,
            "f8" => Self::F64,
            "c8" => Self::Complex64,
            "c16" => Self::Complex128,
            _ => return None,
        };
        Some((dtype, order && dtype.swapped_unit() > 1))
    }

    /// Numpy's text for the type: `<f4`, `>f8`, `|u1`. (`bfloat16` has none and gives torch's name.)
    pub fn numpy_text(self, big_endian: bool) -> String {
        let kind = match self {
            Self::Bool => "b1",
            Self::U8 => "u1",
            Self::I8 => "i1",
            Self::U16 => "u2",
            Self::I16 => "i2",
            Self::U32 => "u4",
            Self::I32 => "i4",
            Self::U64 => "u8",
            Self::I64 => "i8",
            Self::F16 => "f2",
            Self::Bf16 => return self.name().to_owned(),
            Self::F32 => "f4",
            Self::F64 => "f8",
            Self::Complex64 => "c8",
            Self::Complex128 => "c16",
        };
        let order = match (self.size(), big_endian) {
            (1, _) => '|',
            (_, true) => '>',
            (_, false) => '<',
        };
        format!("{order}{kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numpy_s_texts() {
        assert_eq!(Dtype::from_numpy(">f4"), Some((Dtype::F32, true)));
        assert_eq!(Dtype::from_numpy("i8"), Some((Dtype::I64, false)));
        assert_eq!(Dtype::from_numpy(">u1"), Some((Dtype::U8, false)));
        assert_eq!(Dtype::from_numpy("O"), None);
        assert_eq!(Dtype::from_numpy("é4"), None);
        assert_eq!(Dtype::F32.numpy_text(true), ">f4");
        assert_eq!(Dtype::Bool.numpy_text(true), "|b1");
    }
}
