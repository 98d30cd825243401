//! A tensor over shared bytes: element type, byte order, shape, strides and offset; checked once, when it is made.

pub use crate::dtype::Dtype;
use crate::storage::Storage;
use half::{bf16, f16};
use thiserror::Error;

/// Why a tensor cannot be made or converted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum TensorError {
    #[error("A tensor of shape {shape:?} has more elements than can be counted.")]
    TooLarge { shape: Vec<usize> },
    #[error("A tensor of shape {shape:?} has {strides} strides; it needs one for each axis.")]
    Strides { shape: Vec<usize>, strides: usize },
    #[error(
        "A tensor of shape {shape:?} and type {dtype} reaches to byte {end} of a storage that has {available} bytes; the file is damaged."
    )]
    Outside {
        shape: Vec<usize>,
        dtype: &'static str,
        end: u128,
        available: usize,
    },
    #[error(
        "A tensor of shape {shape:?} claims {claimed} bytes of values through strides that repeat a storage of {available} bytes; that is not accepted."
    )]
    Repeats {
        shape: Vec<usize>,
        claimed: usize,
        available: usize,
    },
    #[error("A tensor of type {dtype} cannot be read as {wanted}.")]
    Kind {
        dtype: &'static str,
        wanted: &'static str,
    },
}

/// A tensor whose every element lies inside its storage.
///
/// Strides count elements, as torch's do; rows may be transposed, overlap or be repeated (stride 0).
#[derive(Clone, Debug)]
pub struct Tensor {
    storage: Storage,
    dtype: Dtype,
    big_endian: bool,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
    count: usize,
}

/// What a tensor may claim beyond its storage by repeating elements.
const REPEAT_LIMIT: usize = 16 << 20;

impl Tensor {
    /// A view into `storage`: `offset` and `strides` in elements, the storage's first byte is element 0.
    ///
    /// # Errors
    /// If an element would lie outside, or strides repeat a small storage into more than 16 MiB.
    pub fn new(
        storage: Storage,
        dtype: Dtype,
        big_endian: bool,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Self, TensorError> {
        if shape.len() != strides.len() {
            return Err(TensorError::Strides {
                shape,
                strides: strides.len(),
            });
        }
        let count = element_count(&shape).filter(|count| count.checked_mul(dtype.size()).is_some());
        let Some(count) = count else {
            return Err(TensorError::TooLarge { shape });
        };
        if count > 0 {
            let last = shape
                .iter()
                .zip(&strides)
                .fold(offset as u128, |sum, (length, stride)| {
                    sum.saturating_add((*length as u128 - 1) * (*stride as u128))
                });
            let end = last.saturating_add(1).saturating_mul(dtype.size() as u128);
            if end > storage.len() as u128 {
                return Err(TensorError::Outside {
                    dtype: dtype.name(),
                    end,
                    available: storage.len(),
                    shape,
                });
            }
            let claimed = count * dtype.size();
            if claimed > storage.len().max(REPEAT_LIMIT) {
                return Err(TensorError::Repeats {
                    claimed,
                    available: storage.len(),
                    shape,
                });
            }
        }
        Ok(Self {
            big_endian: big_endian && dtype.swapped_unit() > 1,
            storage,
            dtype,
            offset,
            shape,
            strides,
            count,
        })
    }

    /// A contiguous row-major tensor that begins at the storage's first byte (the storage may be longer).
    ///
    /// # Errors
    /// If the storage is too short.
    pub fn contiguous(
        storage: Storage,
        dtype: Dtype,
        big_endian: bool,
        shape: Vec<usize>,
    ) -> Result<Self, TensorError> {
        let strides = row_major_strides(&shape);
        Self::new(storage, dtype, big_endian, 0, shape, strides)
    }

    /// A tensor whose values lie in Fortran (column-major) order from the storage's first byte.
    ///
    /// # Errors
    /// If the storage is too short.
    pub fn column_major(
        storage: Storage,
        dtype: Dtype,
        big_endian: bool,
        shape: Vec<usize>,
    ) -> Result<Self, TensorError> {
        let mut strides = Vec::with_capacity(shape.len());
        let mut step = 1_usize;
        for length in &shape {
            strides.push(step);
            step = step.saturating_mul(*length);
        }
        Self::new(storage, dtype, big_endian, 0, shape, strides)
    }

    /// A float32 tensor from values in row-major order.
    ///
    /// # Errors
    /// If the number of values is not the product of the shape.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Self, TensorError> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::contiguous(Storage::from_vec(bytes), Dtype::F32, false, shape)
    }

    /// A float64 tensor from values in row-major order.
    ///
    /// # Errors
    /// If the number of values is not the product of the shape.
    pub fn from_f64(shape: Vec<usize>, values: &[f64]) -> Result<Self, TensorError> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::contiguous(Storage::from_vec(bytes), Dtype::F64, false, shape)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Whether the stored elements are big endian (the conversions below undo it).
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// Numpy's text of type and byte order as stored, such as `>f4`.
    pub fn numpy_text(&self) -> String {
        self.dtype.numpy_text(self.big_endian)
    }

    /// Lengths of the axes; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Steps between neighbours along each axis, in elements.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all elements written out.
    pub fn byte_len(&self) -> usize {
        self.count * self.dtype.size()
    }

    /// The stored bytes, if they are already row-major, without gaps and little endian: no copy.
    pub fn as_contiguous_bytes(&self) -> Option<&[u8]> {
        if self.count == 0 {
            return Some(&[]);
        }
        let mut step = 1;
        for (length, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *length != 1 && *stride != step {
                return None;
            }
            step *= length;
        }
        let start = self.offset * self.dtype.size();
        (!self.big_endian).then(|| &self.storage[start..start + self.byte_len()])
    }

    /// All elements in row-major order, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(bytes) = self.as_contiguous_bytes() {
            return bytes.to_vec();
        }
        let size = self.dtype.size();
        let bytes = self.storage.bytes();
        let mut out = Vec::with_capacity(self.byte_len());
        self.each_offset(|element| {
            let start = element * size;
            out.extend_from_slice(&bytes[start..start + size]);
        });
        if self.big_endian {
            for unit in out.chunks_exact_mut(self.dtype.swapped_unit()) {
                unit.reverse();
            }
        }
        out
    }

    /// The elements as 64-bit floats, row-major; whole numbers beyond 2^53 are rounded.
    ///
    /// # Errors
    /// For complex numbers.
    pub fn to_f64(&self) -> Result<Vec<f64>, TensorError> {
        self.convert("numbers", |dtype, b| {
            Some(match dtype {
                Dtype::Bool => f64::from(u8::from(b[0] != 0)),
                Dtype::U8 => f64::from(b[0]),
                Dtype::I8 => f64::from(b[0] as i8),
                Dtype::U16 => f64::from(u16::from_le_bytes([b[0], b[1]])),
                Dtype::I16 => f64::from(i16::from_le_bytes([b[0], b[1]])),
                Dtype::U32 => f64::from(u32::from_le_bytes(four(b))),
                Dtype::I32 => f64::from(i32::from_le_bytes(four(b))),
                Dtype::U64 => u64::from_le_bytes(eight(b)) as f64,
                Dtype::I64 => i64::from_le_bytes(eight(b)) as f64,
                Dtype::F16 => f16::from_le_bytes([b[0], b[1]]).to_f64(),
                Dtype::Bf16 => bf16::from_le_bytes([b[0], b[1]]).to_f64(),
                Dtype::F32 => f64::from(f32::from_le_bytes(four(b))),
                Dtype::F64 => f64::from_le_bytes(eight(b)),
                Dtype::Complex64 | Dtype::Complex128 => return None,
            })
        })
    }

    /// The elements as 32-bit floats, row-major; other types are rounded to the nearest.
    ///
    /// # Errors
    /// For complex numbers.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        self.convert("numbers", |dtype, b| {
            Some(match dtype {
                Dtype::F32 => f32::from_le_bytes(four(b)),
                Dtype::F16 => f16::from_le_bytes([b[0], b[1]]).to_f32(),
                Dtype::Bf16 => bf16::from_le_bytes([b[0], b[1]]).to_f32(),
                Dtype::F64 => f64::from_le_bytes(eight(b)) as f32,
                Dtype::U64 => u64::from_le_bytes(eight(b)) as f32,
                Dtype::I64 => i64::from_le_bytes(eight(b)) as f32,
                Dtype::U32 => u32::from_le_bytes(four(b)) as f32,
                Dtype::I32 => i32::from_le_bytes(four(b)) as f32,
                Dtype::U16 => f32::from(u16::from_le_bytes([b[0], b[1]])),
                Dtype::I16 => f32::from(i16::from_le_bytes([b[0], b[1]])),
                Dtype::U8 => f32::from(b[0]),
                Dtype::I8 => f32::from(b[0] as i8),
                Dtype::Bool => f32::from(u8::from(b[0] != 0)),
                Dtype::Complex64 | Dtype::Complex128 => return None,
            })
        })
    }

    /// The elements as whole numbers, row-major.
    ///
    /// # Errors
    /// For float and complex types, and for unsigned values beyond 2^63.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        self.convert("whole numbers", |dtype, b| {
            Some(match dtype {
                Dtype::Bool => i64::from(b[0] != 0),
                Dtype::U8 => i64::from(b[0]),
                Dtype::I8 => i64::from(b[0] as i8),
                Dtype::U16 => i64::from(u16::from_le_bytes([b[0], b[1]])),
                Dtype::I16 => i64::from(i16::from_le_bytes([b[0], b[1]])),
                Dtype::U32 => i64::from(u32::from_le_bytes(four(b))),
                Dtype::I32 => i64::from(i32::from_le_bytes(four(b))),
                Dtype::U64 => i64::try_from(u64::from_le_bytes(eight(b))).ok()?,
                Dtype::I64 => i64::from_le_bytes(eight(b)),
                _ => return None,
            })
        })
    }

    /// The same values over a storage of their own: row-major, little endian, no longer tied to the file.
    pub fn to_owned_native(&self) -> Self {
        let strides = row_major_strides(&self.shape);
        Self {
            storage: Storage::from_vec(self.to_bytes()),
            dtype: self.dtype,
            big_endian: false,
            offset: 0,
            shape: self.shape.clone(),
            strides,
            count: self.count,
        }
    }

    /// The same elements, row by row, as another shape; copies where the elements do not lie in row-major order.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Self, TensorError> {
        if element_count(&shape) != Some(self.count) {
            return Err(TensorError::TooLarge { shape });
        }
        let mut tensor = if self.as_contiguous_bytes().is_some() {
            self.clone()
        } else {
            self.to_owned_native()
        };
        tensor.strides = row_major_strides(&shape);
        tensor.shape = shape;
        Ok(tensor)
    }

    /// The same elements with the axes in another order, axis i of the result being axis `axes[i]`; nothing is copied. The
    /// tensor itself where `axes` are not all its axes, each once.
    #[must_use]
    pub(crate) fn permuted(&self, axes: &[usize]) -> Self {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        let mut tensor = self.clone();
        if sorted.iter().copied().eq(0..self.shape.len()) {
            tensor.shape = axes.iter().map(|axis| self.shape[*axis]).collect();
            tensor.strides = axes.iter().map(|axis| self.strides[*axis]).collect();
        }
        tensor
    }

    fn convert<T>(
        &self,
        wanted: &'static str,
        read: impl Fn(Dtype, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, TensorError> {
        let size = self.dtype.size();
        let copied;
        let bytes = match self.as_contiguous_bytes() {
            Some(bytes) => bytes,
            None => {
                copied = self.to_bytes();
                &copied
            }
        };
        bytes
            .chunks_exact(size)
            .map(|element| read(self.dtype, element))
            .collect::<Option<Vec<T>>>()
            .ok_or(TensorError::Kind {
                dtype: self.dtype.name(),
                wanted,
            })
    }

    /// Calls `visit` with the position in the storage, in elements, of each element in row-major order.
    // Wrapping: an axis of one element may have any stride, and the step along it is taken back at once.
    fn each_offset(&self, mut visit: impl FnMut(usize)) {
        if self.count == 0 {
            return;
        }
        let mut index = vec![0_usize; self.shape.len()];
        let mut position = self.offset;
        for _ in 0..self.count {
            visit(position);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                position = position.wrapping_add(self.strides[axis]);
                if index[axis] < self.shape[axis] {
                    break;
                }
                position = position.wrapping_sub(self.strides[axis].wrapping_mul(self.shape[axis]));
                index[axis] = 0;
            }
        }
    }
}

/// The product of a shape, or `None` where it does not fit.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .try_fold(1_usize, |count, length| count.checked_mul(*length))
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

fn four(b: &[u8]) -> [u8; 4] {
    [b[0], b[1], b[2], b[3]]
}

fn eight(b: &[u8]) -> [u8; 8] {
    [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(count: u8) -> Storage {
        Storage::from_vec((0..count).flat_map(|v| f32::from(v).to_le_bytes()).collect())
    }

    #[test]
    fn views_are_resolved() {
        let make = |offset, shape: &[usize], strides: &[usize]| {
            Tensor::new(
                counting(6),
                Dtype::F32,
                false,
                offset,
                shape.to_vec(),
                strides.to_vec(),
            )
        };
        let transposed = make(0, &[3, 2], &[1, 3]).unwrap();
        assert_eq!(transposed.to_f32().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(transposed.as_contiguous_bytes().is_none());
        let expanded = make(4, &[2, 2], &[0, 1]).unwrap();
        assert_eq!(expanded.to_f64().unwrap(), [4.0, 5.0, 4.0, 5.0]);
        assert_eq!(make(5, &[], &[]).unwrap().to_f32().unwrap(), [5.0]);
        assert!(make(100, &[0, 7], &[7, 1]).unwrap().to_f32().unwrap().is_empty());
        assert!(matches!(make(5, &[2], &[1]), Err(TensorError::Outside { .. })));
        assert!(matches!(
            make(0, &[1 << 40], &[0]),
            Err(TensorError::Repeats { .. })
        ));
        assert!(matches!(
            make(0, &[1 << 40, 1 << 40], &[0, 0]),
            Err(TensorError::TooLarge { .. })
        ));
        assert!(matches!(
            make(usize::MAX, &[2, 2], &[usize::MAX, usize::MAX]),
            Err(TensorError::Outside { .. })
        ));
    }

    #[test]
    fn byte_order_is_undone() {
        let storage = Storage::from_vec(vec![0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
        let (dtype, big) = Dtype::from_numpy(">f4").unwrap();
        let tensor = Tensor::contiguous(storage, dtype, big, vec![2]).unwrap();
        assert_eq!(tensor.to_f32().unwrap(), [1.0, -2.0]);
        assert_eq!(tensor.numpy_text(), ">f4");
        assert_eq!(tensor.to_owned_native().numpy_text(), "<f4");
    }

    #[test]
    fn column_major_reads_by_columns() {
        let tensor = Tensor::column_major(counting(6), Dtype::F32, false, vec![2, 3]).unwrap();
        assert_eq!(tensor.to_f32().unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let flat = tensor.reshaped(vec![6]).unwrap();
        assert_eq!(flat.to_f32().unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }
}
