//! The rows that a whitening is learned from.

use half::slice::HalfFloatSliceExt as _;
use sightline_search::{RowData, Rows};

/// Rows `[n, dim]` as they lie in memory or in a mapped file; they are widened to 64 bits a block at a time.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    data: Data<'a>,
    dim: usize,
}

#[derive(Clone, Copy, Debug)]
enum Data<'a> {
    Stored(RowData<'a>),
    Wide(&'a [f64]),
}

impl<'a> Samples<'a> {
    /// The rows of a descriptor set.
    #[must_use]
    pub fn rows(rows: Rows<'a>) -> Samples<'a> {
        Samples {
            data: Data::Stored(rows.data),
            dim: rows.dim,
        }
    }

    /// 64-bit rows `[n, dim]`, one after the other; values beyond the last whole row are left out.
    #[must_use]
    pub fn f64(values: &'a [f64], dim: usize) -> Samples<'a> {
        Samples {
            data: Data::Wide(values),
            dim,
        }
    }

    /// Values of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        let values = match self.data {
            Data::Stored(RowData::F32(values)) => values.len(),
            Data::Stored(RowData::F16(values)) => values.len(),
            Data::Wide(values) => values.len(),
        };
        values.checked_div(self.dim).unwrap_or(0)
    }

    /// Writes row `index`, which exists, into `row` of `dim` values.
    pub(super) fn read(&self, index: usize, row: &mut [f64]) {
        let range = index * self.dim..(index + 1) * self.dim;
        match self.data {
            Data::Wide(values) => row.copy_from_slice(&values[range]),
            Data::Stored(RowData::F32(values)) => {
                for (to, from) in row.iter_mut().zip(&values[range]) {
                    *to = f64::from(*from);
                }
            }
            Data::Stored(RowData::F16(values)) => values[range].convert_to_f64_slice(row),
        }
    }
}
