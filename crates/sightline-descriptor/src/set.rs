//! A descriptor set: rows, the names of their pictures, and the card.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use serde::{Deserialize, Serialize};
use sightline_card::Card;
use sightline_checkpoint::{Dtype, Storage, Tensor};
use sightline_search::Rows;

use crate::error::SetError;
use crate::{npy_form, pickle_form, safetensors_form};

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

/// What a file says: its rows and what they mean.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) rows: Tensor,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) card: Option<Card>,
    pub(crate) shard: Option<Shard>,
    pub(crate) extra: BTreeMap<String, String>,
}

impl Layout {
    /// Rows about which nothing else is known.
    pub(crate) fn bare(rows: Tensor) -> Layout {
        Layout {
            rows,
            names: None,
            card: None,
            shard: None,
            extra: BTreeMap::new(),
        }
    }
}

#[derive(Debug)]
enum Held {
    /// 32-bit rows inside a file, aligned for use as they are.
    PlacedF32(Tensor),
    /// 16-bit rows inside a file, aligned for use as they are.
    PlacedF16(Tensor),
    /// Rows in memory.
    F32(Vec<f32>),
    /// Rows in memory.
    F16(Vec<f16>),
}

/// A set of descriptors `[N, D]` with a name for each and the card of what made them.
///
/// On disk it is a safetensors file whose tensor `descriptors` `[N, D]` (F32 or F16) holds the rows and whose `__metadata__`
/// holds `format` = `sightline-descriptors`, `format_version`, `names` (a JSON list) and `card` (JSON); or an npy file `NAME.npy` with
/// `NAME.names.txt` (a name a line) and `NAME.card.json` beside it. Files of other makers are accepted too: a bare npy,
/// any safetensors file with a tensor of two axes, a pickle or torch file of an array or a dictionary of arrays; rows are
/// then called `0`, `1`, ... and there is no card.
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
    /// `path` may end in `#NAME` to choose a tensor of a file that has several, e.g. `reference.safetensors#database`; of
    /// CSA's pickles of a test set it is `#db` unless said otherwise. Rows stored otherwise than as little-endian 16- or 32-bit floats row by row
    /// (64 bits, bfloat16, big-endian, Fortran order, unaligned) are converted to 32 bits in memory.
    ///
    /// # Errors
    /// When the file cannot be opened, is neither format, contradicts itself, holds several candidates, or was written by a
    /// newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<DescriptorSet, SetError> {
        let (path, tensor) = select(path.as_ref());
        DescriptorSet::open_tensor(&path, tensor.as_deref())
    }

    /// As [`DescriptorSet::open`], with the tensor's name apart.
    pub(crate) fn open_tensor(path: &Path, tensor: Option<&str>) -> Result<DescriptorSet, SetError> {
        let path = path.to_path_buf();
        let file = File::open(&path).map_err(SetError::io(&path, "opened"))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(SetError::io(&path, "opened")(io::Error::other(
                "it is not a file",
            )));
        }
        let storage = Storage::map(&file).map_err(SetError::io(&path, "mapped"))?;
        let mut layout = read(&path, &storage, tensor)?;
        if npy_form::is_npy(&storage) {
            layout = npy_form::with_side_files(&path, layout)?;
        }
        DescriptorSet::new(path, layout)
    }

    /// Reads a set from the bytes of a safetensors or npy file (without side files). `source` is how messages call it.
    ///
    /// # Errors
    /// As [`DescriptorSet::open`].
    pub fn from_bytes(source: &str, bytes: Vec<u8>, tensor: Option<&str>) -> Result<DescriptorSet, SetError> {
        let path = PathBuf::from(source);
        let layout = read(&path, &Storage::from_vec(bytes), tensor)?;
        DescriptorSet::new(path, layout)
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

    /// The same set with other rows `[N, dim]` in memory, as many as before.
    pub(crate) fn with_rows(&self, dim: usize, rows: Vec<f32>, card: Option<Card>) -> DescriptorSet {
        debug_assert_eq!(rows.len(), self.len * dim);
        DescriptorSet {
            source: self.source.clone(),
            rows: Held::F32(rows),
            len: self.len,
            dim,
            names: self.names.clone(),
            named: self.named,
            card,
            shard: self.shard,
            extra: self.extra.clone(),
        }
    }

    fn new(source: PathBuf, layout: Layout) -> Result<DescriptorSet, SetError> {
        let Layout {
            rows,
            names,
            card,
            shard,
            extra,
        } = layout;
        let [len, dim] = rows.shape()[..] else {
            let reason = format!(
                "it has {} axes, and descriptors have two [rows, values]",
                rows.shape().len()
            );
            return Err(SetError::damaged(&source, reason));
        };
        if dim == 0 {
            return Err(SetError::damaged(&source, "its rows have no values"));
        }
        if !matches!(rows.dtype(), Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64) {
            let reason = format!(
                "its values are of type {}, and descriptors are floats",
                rows.dtype().name()
            );
            return Err(SetError::damaged(&source, reason));
        }
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
        let rows = match rows.dtype() {
            Dtype::F32 if placed::<f32>(&rows).is_some() => Held::PlacedF32(rows),
            Dtype::F16 if placed::<f16>(&rows).is_some() => Held::PlacedF16(rows),
            Dtype::F16 => Held::F16(
                rows.to_bytes()
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|&v| f16::from_le_bytes(v))
                    .collect(),
            ),
            _ => Held::F32(
                rows.to_f32()
                    .map_err(|error| SetError::damaged(&source, error.to_string()))?,
            ),
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
            Held::PlacedF32(_) | Held::F32(_) => RowType::F32,
            Held::PlacedF16(_) | Held::F16(_) => RowType::F16,
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
            Held::PlacedF32(rows) => placed(rows),
            Held::F32(rows) => Some(rows),
            Held::PlacedF16(_) | Held::F16(_) => None,
        }
    }

    /// All values of a 16-bit set, row by row (`N * D`); none for a 32-bit one.
    #[must_use]
    pub fn as_f16(&self) -> Option<&[f16]> {
        match &self.rows {
            Held::PlacedF16(rows) => placed(rows),
            Held::F16(rows) => Some(rows),
            Held::PlacedF32(_) | Held::F32(_) => None,
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

/// Reads any form.
fn read(path: &Path, storage: &Storage, tensor: Option<&str>) -> Result<Layout, SetError> {
    if pickle_form::is_pickle(storage) {
        return pickle_form::layout(path, storage, tensor);
    }
    match (npy_form::is_npy(storage), tensor) {
        (false, _) => safetensors_form::layout(path, storage, tensor),
        (true, None) => npy_form::layout(path, storage),
        (true, Some(wanted)) => Err(SetError::NoSuchTensor {
            path: path.to_path_buf(),
            wanted: wanted.to_owned(),
            tensors: "one array without a name".to_owned(),
        }),
    }
}

/// The values as they lie in the file, if they can be used there: row by row, little-endian as this machine, aligned.
fn placed<T: bytemuck::AnyBitPattern>(rows: &Tensor) -> Option<&[T]> {
    let bytes = rows
        .as_contiguous_bytes()
        .filter(|_| cfg!(target_endian = "little"))?;
    bytemuck::try_cast_slice(bytes).ok()
}
