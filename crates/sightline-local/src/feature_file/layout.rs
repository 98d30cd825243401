//! Where everything lies in a file of local features: the columns and the header.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sightline_checkpoint::Dtype;
use sightline_descriptor::RowType;

/// The metadata's word for such files.
pub(super) const FORMAT: &str = "sightline-local-features";
/// The version that is written; all up to it can be read.
pub(super) const FORMAT_VERSION: u32 = 1;

/// The columns in their order: wide values first, so that all are aligned.
pub(super) const COLUMNS: [&str; 7] = [
    "offsets",
    "sizes",
    "places",
    "strengths",
    "descriptors",
    "scales",
    "names",
];

/// A column: its tensor's name, type and shape.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

impl Column {
    pub(super) const OFFSETS: usize = 0;
    pub(super) const SIZES: usize = 1;
    pub(super) const PLACES: usize = 2;
    pub(super) const STRENGTHS: usize = 3;
    pub(super) const DESCRIPTORS: usize = 4;
    pub(super) const SCALES: usize = 5;
    pub(super) const NAMES: usize = 6;

    /// Its bytes; none if there are more than this machine can count.
    pub(super) fn bytes(&self) -> Option<usize> {
        let values = self
            .shape
            .iter()
            .try_fold(1usize, |all, axis| all.checked_mul(*axis));
        values?.checked_mul(self.dtype.size())
    }
}

/// What decides the shapes of all columns.
pub(super) struct Shapes {
    pub(super) pictures: usize,
    pub(super) features: usize,
    pub(super) dim: usize,
    pub(super) row_type: RowType,
    /// Bytes of the names' JSON.
    pub(super) names: usize,
}

impl Shapes {
    /// All columns, in the order of [`COLUMNS`].
    pub(super) fn columns(&self) -> Vec<Column> {
        let (n, m) = (self.pictures, self.features);
        let descriptors = match self.row_type {
            RowType::F32 => Dtype::F32,
            RowType::F16 => Dtype::F16,
        };
        let shapes = [
            (Dtype::U64, vec![n.saturating_add(1)]),
            (Dtype::U32, vec![n, 2]),
            (Dtype::F32, vec![m, 2]),
            (Dtype::F32, vec![m]),
            (descriptors, vec![m, self.dim]),
            (Dtype::F16, vec![m]),
            (Dtype::U8, vec![self.names]),
        ];
        COLUMNS
            .into_iter()
            .zip(shapes)
            .map(|(name, (dtype, shape))| Column { name, dtype, shape })
            .collect()
    }
}

/// The file's first bytes: the length of the header and the header, a multiple of eight together. None if the file would be
/// larger than this machine can address.
pub(super) fn head(columns: &[Column], metadata: Map<String, Value>) -> Option<Vec<u8>> {
    let mut all = Map::new();
    all.insert("__metadata__".to_owned(), Value::Object(metadata));
    let mut start = 0usize;
    let checksums = Column {
        name: "sha256",
        dtype: Dtype::U8,
        shape: vec![COLUMNS.len() + 1, 32],
    };
    for column in columns.iter().chain([&checksums]) {
        let end = start.checked_add(column.bytes()?)?;
        let dtype = match column.dtype {
            Dtype::U64 => "U64",
            Dtype::U32 => "U32",
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            _ => "U8",
        };
        all.insert(
            column.name.to_owned(),
            json!({"dtype": dtype, "shape": column.shape, "data_offsets": [start, end]}),
        );
        start = end;
    }
    let mut text = Value::Object(all).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.append(&mut text);
    Some(head)
}

/// SHA-256 of bytes.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
