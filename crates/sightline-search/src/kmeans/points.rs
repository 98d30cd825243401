//! The vectors that are clustered: blocks that lie anywhere, memory-mapped ones too, and perhaps only some of their rows.

use crate::rows::check_pair;
use crate::{RowData, Rows, SearchError};
use half::slice::HalfFloatSliceExt;
use std::borrow::Cow;
use std::ops::Range;

/// Vectors in blocks one behind the other, read where they lie.
#[derive(Clone, Debug)]
pub struct Points<'a> {
    dim: usize,
    blocks: Vec<Rows<'a>>,
    /// Number of the first vector of each block, and the number of vectors.
    starts: Vec<usize>,
    /// Which vectors, in this order; none: all.
    chosen: Option<Vec<u32>>,
}

impl<'a> Points<'a> {
    /// All vectors of `blocks`, `[n, dim]` each.
    ///
    /// Errors: blocks of different `dim` or of rows that are not whole; 2^32 vectors or more; no block.
    pub fn new(blocks: Vec<Rows<'a>>) -> Result<Self, SearchError> {
        let empty = Rows::f32(&[], blocks.first().map_or(0, |block| block.dim));
        let mut starts = vec![0];
        for block in &blocks {
            check_pair(&empty, block)?;
            starts.push(starts.last().unwrap_or(&0) + block.count());
        }
        empty.check("vectors")?;
        let count = *starts.last().unwrap_or(&0);
        if count > u32::MAX as usize {
            return Err(SearchError::TooManyRows { rows: count });
        }
        Ok(Self {
            dim: empty.dim,
            blocks,
            starts,
            chosen: None,
        })
    }

    /// Those of these vectors that are at the places `chosen`, in this order.
    ///
    /// Errors: a place that does not exist.
    pub fn choose(&self, chosen: Vec<u32>) -> Result<Self, SearchError> {
        let count = self.count();
        if let Some(row) = chosen.iter().find(|place| **place as usize >= count) {
            return Err(SearchError::NoSuchRow {
                row: *row as usize,
                rows: count,
            });
        }
        let chosen = match &self.chosen {
            None => chosen,
            Some(before) => chosen.into_iter().map(|place| before[place as usize]).collect(),
        };
        Ok(Self {
            chosen: Some(chosen),
            ..self.clone()
        })
    }

    /// Values of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many vectors there are.
    pub fn count(&self) -> usize {
        match &self.chosen {
            Some(chosen) => chosen.len(),
            None => *self.starts.last().unwrap_or(&0),
        }
    }

    /// Vector `place`, which exists.
    pub(super) fn row(&self, place: usize) -> RowData<'a> {
        let number = match &self.chosen {
            Some(chosen) => chosen[place] as usize,
            None => place,
        };
        let (block, row) = self.find(number);
        self.blocks[block].part(row, 1)
    }

    /// Vectors `range`, which exist, in f32: where they lie if they lie together, else a copy.
    pub(super) fn rows(&self, range: Range<usize>) -> Cow<'a, [f32]> {
        if self.chosen.is_none() && !range.is_empty() {
            let (block, row) = self.find(range.start);
            if range.end <= self.starts[block + 1]
                && let RowData::F32(values) = self.blocks[block].part(row, range.len())
            {
                return Cow::Borrowed(values);
            }
        }
        let mut rows = vec![0.0; range.len() * self.dim];
        for (place, to) in range.zip(rows.chunks_exact_mut(self.dim)) {
            match self.row(place) {
                RowData::F32(from) => to.copy_from_slice(from),
                RowData::F16(from) => from.convert_to_f32_slice(to),
            }
        }
        Cow::Owned(rows)
    }

    /// The block of vector `number`, and its row there.
    fn find(&self, number: usize) -> (usize, usize) {
        // The last block that starts at or before it; empty blocks start where the next one does.
        let block = self.starts.partition_point(|start| *start <= number) - 1;
        (block, number - self.starts[block])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_read_as_one() {
        let halves = [5.0, 6.0].map(half::f16::from_f32);
        let values = [1.0_f32, 2.0, 3.0, 4.0];
        let blocks = vec![
            Rows::f32(&values, 2),
            Rows::f32(&[], 2),
            Rows::f16(&halves, 2),
            Rows::f32(&values[..2], 2),
        ];
        let points = Points::new(blocks).unwrap();
        assert_eq!((points.count(), points.dim()), (4, 2));
        assert_eq!(*points.rows(0..4), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0]);
        assert!(matches!(points.rows(0..2), Cow::Borrowed(_)));
        let some = points.choose(vec![3, 2]).unwrap().choose(vec![1, 0, 1]).unwrap();
        assert_eq!(*some.rows(0..3), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert!(points.choose(vec![4]).is_err());
        assert!(Points::new(vec![]).is_err());
        assert!(Points::new(vec![Rows::f32(&values, 2), Rows::f32(&values, 4)]).is_err());
    }
}
