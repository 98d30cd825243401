//! A descriptor set: rows, the names of their pictures, and the card.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use serde::{Deserialize, Serialize};
use sightline_card::Card;
use sightline_search::Rows;

use crate::error::SetError;
use crate::map::Bytes;
use crate::{npy_form, safetensors_form};

/// How the values of a set are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowType {
    /// 32-bit floats, as the network gives them.
    F32,
    /// 16-bit floats (IEEE half precision, rounded to nearest even): half the size, about three decimal digits.
    F16,
}

impl RowType {
    /// Bytes of one value.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            RowType::F32 => 4,
            RowType::F16 => 2,
        }
    }
}

/// Which part of a list of pictures a set holds: part `index` (from 1) of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Part `index` of `count`; none unless 1 ≤ index ≤ count.
    #[must_use]
    pub fn new(index: usize, count: usize) -> Option<Shard> {
        (index >= 1 && index <= count).then_some(Shard { index, count })
    }

    /// Reads `i/n`, e.g. `2/8`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Shard> {
        let (index, count) = text.split_once('/')?;
        Shard::new(index.trim().parse().ok()?, count.trim().parse().ok()?)
    }

    /// Which part this is, from 1.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// How many parts there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// The part's pictures out of a list of `total`: the parts are contiguous, in order, and differ by at most one in length.
    #[must_use]
    pub fn range(self, total: usize) -> Range<usize> {
        // In 128 bits the product of two lengths cannot overflow; the quotient is at most `total`.
        let cut = |part: usize| (part as u128 * total as u128 / self.count as u128) as usize;
        cut(self.index - 1)..cut(self.index)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        Shard::parse(&text)
            .ok_or_else(|| format!("{text:?} is no shard; it should read i/n with 1 <= i <= n"))
    }
}

/// What a file says about its rows: where they lie and what they mean.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Offset of the first value in the file.
    pub(crate) start: usize,
    pub(crate) values: ValueType,
    pub(crate) len: usize,
    pub(crate) dim: usize,
    /// Column by column instead of row by row.
    pub(crate) fortran: bool,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) card: Option<Card>,
    pub(crate) shard: Option<Shard>,
    pub(crate) extra: BTreeMap<String, String>,
}

/// The types of values that can be read; all but little-endian f32 and f16 are converted to f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    F16,
    Bf16,
    F32,
    F64,
    BigF16,
    BigF32,
    BigF64,
}

impl ValueType {
    pub(crate) fn size(self) -> usize {
        match self {
            ValueType::F16 | ValueType::Bf16 | ValueType::BigF16 => 2,
            ValueType::F32 | ValueType::BigF32 => 4,
            ValueType::F64 | ValueType::BigF64 => 8,
        }
    }
}

#[derive(Debug)]
enum Held {
    /// 32-bit rows inside the bytes, aligned for use as they are.
    PlacedF32(Bytes, Range<usize>),
    /// 16-bit rows inside the bytes, aligned for use as they are.
    PlacedF16(Bytes, Range<usize>),
    /// Rows in memory.
    F32(Vec<f32>),
    /// Rows in memory.
    F16(Vec<f16>),
}

/// A set of descriptors `[N, D]` with a name for each and the card of what made them.
///
/// On disk it is a safetensors file whose tensor `descriptors` `[N, D]` (F32 or F16) holds the rows and whose `__metadata__`
/// holds `format` = `sightline-descriptors`, `format_version`, `names` (a JSON list) and `card` (JSON); or an npy file `NAME.npy` with
/// `NAME.names.txt` (a name a line) and `NAME.card.json` beside it. Files of other makers are accepted too: a bare npy, or
/// any safetensors file with a tensor of two axes; rows are then called `0`, `1`, ... and there is no card.
#[derive(Debug)]
pub struct DescriptorSet {
    source: PathBuf,
    rows: Held,
    len: usize,
    dim: usize,
    names: Vec<String>,
    named: bool,
    card: Option<Card>,
    shard: Option<Shard>,
    extra: BTreeMap<String, String>,
}

impl DescriptorSet {
    /// Opens a set by memory-mapping its file; the rows are not read until they are used.
    ///
    /// `path` may end in `#NAME` to choose a tensor of a safetensors file that has several, e.g.
    /// `reference.safetensors#database`. Rows stored otherwise than as little-endian 16- or 32-bit floats row by row
    /// (64 bits, bfloat16, big-endian, Fortran order, unaligned) are converted to 32 bits in memory.
    ///
    /// # Errors
    /// When the file cannot be opened, is neither format, contradicts itself, holds several candidates, or was written by a
    /// newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<DescriptorSet, SetError> {
        let (path, tensor) = select(path.as_ref());
        let bytes = Bytes::map(&path).map_err(SetError::io(&path, "opened"))?;
        let layout = if npy_form::is_npy(&bytes) {
            if let Some(wanted) = tensor {
                let tensors = "one array without a name".to_owned();
                return Err(SetError::NoSuchTensor {
                    path,
                    wanted,
                    tensors,
                });
            }
            npy_form::with_side_files(&path, npy_form::layout(&path, &bytes)?)?
        } else {
            safetensors_form::layout(&path, &bytes, tensor.as_deref())?
        };
        DescriptorSet::new(path, bytes, layout)
    }

    /// Reads a set from the bytes of a safetensors or npy file (without side files). `source` is how messages call it.
    ///
    /// # Errors
    /// As [`DescriptorSet::open`].
    pub fn from_bytes(source: &str, bytes: Vec<u8>, tensor: Option<&str>) -> Result<DescriptorSet, SetError> {
        let path = PathBuf::from(source);
        let layout = if npy_form::is_npy(&bytes) {
            npy_form::layout(&path, &bytes)?
        } else {
            safetensors_form::layout(&path, &bytes, tensor)?
        };
        DescriptorSet::new(path, Bytes::Owned(bytes), layout)
    }

    /// A set in memory from rows `[names.len(), dim]`, one after the other.
    ///
    /// # Errors
    /// When the number of values is not `names.len() * dim`, or `dim` is 0.
    pub fn from_rows(
        names: Vec<String>,
        dim: usize,
        rows: Vec<f32>,
        card: Option<Card>,
    ) -> Result<DescriptorSet, SetError> {
        let source = PathBuf::from("a set in memory");
        if dim == 0 || names.len().checked_mul(dim) != Some(rows.len()) {
            let reason = format!(
                "{} values are not {} rows of {dim} values",
                rows.len(),
                names.len()
            );
            return Err(SetError::Damaged { path: source, reason });
        }
        Ok(DescriptorSet {
            source,
            rows: Held::F32(rows),
            len: names.len(),
            dim,
            names,
            named: true,
            card,
            shard: None,
            extra: BTreeMap::new(),
        })
    }

    fn new(source: PathBuf, bytes: Bytes, layout: Layout) -> Result<DescriptorSet, SetError> {
        let Layout {
            start,
            values,
            len,
            dim,
            fortran,
            names,
            card,
            shard,
            extra,
        } = layout;
        if dim == 0 {
            return Err(SetError::damaged(&source, "its rows have no values"));
        }
        let size = len
            .checked_mul(dim)
            .and_then(|count| count.checked_mul(values.size()));
        let end = size
            .and_then(|size| start.checked_add(size))
            .filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            return Err(SetError::damaged(
                &source,
                format!("it ends before its {len} rows of {dim} values do"),
            ));
        };
        if let Some(card) = card.as_ref().filter(|card| card.identity.dim != dim) {
            let reason = format!(
                "its card says {} values a row, and its rows have {dim}",
                card.identity.dim
            );
            return Err(SetError::damaged(&source, reason));
        }
        let named = names.is_some();
        let names = names.unwrap_or_else(|| (0..len).map(|i| i.to_string()).collect());
        if names.len() != len {
            return Err(SetError::damaged(
                &source,
                format!("it has {} names for {len} rows", names.len()),
            ));
        }
        let little = cfg!(target_endian = "little");
        let rows = match values {
            ValueType::F32
                if little && !fortran && bytemuck::try_cast_slice::<u8, f32>(&bytes[start..end]).is_ok() =>
            {
                Held::PlacedF32(bytes, start..end)
            }
            ValueType::F16
                if little && !fortran && bytemuck::try_cast_slice::<u8, f16>(&bytes[start..end]).is_ok() =>
            {
                Held::PlacedF16(bytes, start..end)
            }
            ValueType::F16 => Held::F16(in_rows(halves(&bytes[start..end], false), len, dim, fortran)),
            ValueType::BigF16 => Held::F16(in_rows(halves(&bytes[start..end], true), len, dim, fortran)),
            _ => Held::F32(in_rows(floats(&bytes[start..end], values), len, dim, fortran)),
        };
        Ok(DescriptorSet {
            source,
            rows,
            len,
            dim,
            names,
            named,
            card,
            shard,
            extra,
        })
    }

    /// The file that the set was read from.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Number of rows N.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of values D of a row, at least 1.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The names of the pictures, one a row. Without names in the file: `0`, `1`, ...
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the names come from the file (else they are the rows' numbers).
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.named
    }

    /// What made the rows; absent in files of other makers.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Which part of a list the set is; absent for a whole one.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// The file's other metadata (safetensors only).
    #[must_use]
    pub fn extra(&self) -> &BTreeMap<String, String> {
        &self.extra
    }

    /// How the rows are held.
    #[must_use]
    pub fn row_type(&self) -> RowType {
        match &self.rows {
            Held::PlacedF32(..) | Held::F32(_) => RowType::F32,
            Held::PlacedF16(..) | Held::F16(_) => RowType::F16,
        }
    }

    /// The rows as `sightline-search` takes them, without a copy.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        match (self.as_f32(), self.as_f16()) {
            (_, Some(rows)) => Rows::f16(rows, self.dim),
            (rows, None) => Rows::f32(rows.unwrap_or_default(), self.dim),
        }
    }

    /// All values of a 32-bit set, row by row (`N * D`); none for a 16-bit one.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.rows {
            // The cast was tried when the set was opened, and neither the map nor the bytes have moved since.
            Held::PlacedF32(bytes, range) => bytes
                .get(range.clone())
                .and_then(|part| bytemuck::try_cast_slice(part).ok()),
            Held::F32(rows) => Some(rows),
            Held::PlacedF16(..) | Held::F16(_) => None,
        }
    }

    /// All values of a 16-bit set, row by row (`N * D`); none for a 32-bit one.
    #[must_use]
    pub fn as_f16(&self) -> Option<&[f16]> {
        match &self.rows {
            Held::PlacedF16(bytes, range) => bytes
                .get(range.clone())
                .and_then(|part| bytemuck::try_cast_slice(part).ok()),
            Held::F16(rows) => Some(rows),
            Held::PlacedF32(..) | Held::F32(_) => None,
        }
    }

    /// Row `index` as 32-bit floats; empty beyond the last row.
    #[must_use]
    pub fn row(&self, index: usize) -> Vec<f32> {
        if index >= self.len {
            return Vec::new();
        }
        let range = index * self.dim..(index + 1) * self.dim;
        match (self.as_f32(), self.as_f16()) {
            (Some(rows), _) => rows[range].to_vec(),
            (None, Some(rows)) => rows[range].iter().map(|value| value.to_f32()).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// All rows as 32-bit floats, `N * D` values: a copy; prefer [`DescriptorSet::as_f32`] where the size matters.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match (self.as_f32(), self.as_f16()) {
            (Some(rows), _) => rows.to_vec(),
            (None, Some(rows)) => rows.iter().map(|value| value.to_f32()).collect(),
            (None, None) => Vec::new(),
        }
    }
}

/// Splits `file#tensor`; a file whose name has a `#` is taken as it is.
fn select(path: &Path) -> (PathBuf, Option<String>) {
    if !path.exists()
        && let Some((file, tensor)) = path.to_str().and_then(|text| text.rsplit_once('#'))
    {
        return (PathBuf::from(file), Some(tensor.to_owned()));
    }
    (path.to_path_buf(), None)
}

fn halves(bytes: &[u8], big: bool) -> Vec<f16> {
    let (values, _) = bytes.as_chunks::<2>();
    values
        .iter()
        .map(|&v| {
            if big {
                f16::from_be_bytes(v)
            } else {
                f16::from_le_bytes(v)
            }
        })
        .collect()
}

fn floats(bytes: &[u8], values: ValueType) -> Vec<f32> {
    match values {
        ValueType::F16 => halves(bytes, false).iter().map(|v| v.to_f32()).collect(),
        ValueType::BigF16 => halves(bytes, true).iter().map(|v| v.to_f32()).collect(),
        ValueType::Bf16 => bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&v| half::bf16::from_le_bytes(v).to_f32())
            .collect(),
        ValueType::F32 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&v| f32::from_le_bytes(v))
            .collect(),
        ValueType::BigF32 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&v| f32::from_be_bytes(v))
            .collect(),
        ValueType::F64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&v| f64::from_le_bytes(v) as f32)
            .collect(),
        ValueType::BigF64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&v| f64::from_be_bytes(v) as f32)
            .collect(),
    }
}

/// Brings values that lie column by column into rows.
fn in_rows<T: Copy>(values: Vec<T>, len: usize, dim: usize, fortran: bool) -> Vec<T> {
    if !fortran {
        return values;
    }
    (0..len)
        .flat_map(|row| (0..dim).map(move |column| (row, column)))
        .map(|(r, c)| values[c * len + r])
        .collect()
}
