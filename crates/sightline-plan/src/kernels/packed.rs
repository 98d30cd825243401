//! The left matrix of a product, in the order in which a kernel reads it.

use super::{Aligned, Runnable};

/// A matrix `[rows, depth]` cut into tiles of a few rows, each `[depth, rows of the tile]`.
#[derive(Clone, Default)]
pub(crate) struct Packed {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) tile_rows: usize,
    values: Aligned,
}

impl Packed {
    /// Packs a matrix `[rows, depth]`, row-major.
    pub(crate) fn from_rows(kernel: Runnable, rows: usize, depth: usize, values: &[f32]) -> Self {
        let mut packed = Self::default();
        packed.reshape(kernel, rows, depth);
        for row in 0..rows {
            let (at, height) = packed.place(row);
            for (step, value) in values[row * depth..][..depth].iter().enumerate() {
                packed.values[at + step * height] = *value;
            }
        }
        packed
    }

    /// Takes another size; the values are any until they are set. Memory that is there is used again.
    pub(crate) fn reshape(&mut self, kernel: Runnable, rows: usize, depth: usize) {
        self.rows = rows;
        self.depth = depth;
        self.tile_rows = kernel.tile_rows();
        self.values.resize(rows * depth);
    }

    /// Where the first value of a row lies, and how far it is from there to the next.
    fn place(&self, row: usize) -> (usize, usize) {
        let first = row - row % self.tile_rows;
        let height = self.tile_rows.min(self.rows - first);
        (first * self.depth + row - first, height)
    }

    /// Sets the column `step` of the rows from `row` on.
    pub(crate) fn set_column(&mut self, row: usize, step: usize, values: &[f32]) {
        let mut done = 0;
        while done < values.len() {
            let (at, height) = self.place(row + done);
            let in_tile = (row + done) % self.tile_rows;
            let count = (height - in_tile).min(values.len() - done);
            let at = at + step * height;
            self.values[at..at + count].copy_from_slice(&values[done..done + count]);
            done += count;
        }
    }

    /// Sets the columns from `step` on of one row.
    pub(crate) fn set_row(&mut self, row: usize, step: usize, values: &[f32]) {
        let (at, height) = self.place(row);
        let to = self.values[at + step * height..].iter_mut().step_by(height);
        to.zip(values).for_each(|(to, value)| *to = *value);
    }

    /// Rows of the matrix.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// `steps` columns from `step` on of the tile that starts with `row`.
    pub(super) fn tile(&self, row: usize, step: usize, steps: usize) -> &[f32] {
        let height = self.tile_rows.min(self.rows - row);
        &self.values[row * self.depth + step * height..][..steps * height]
    }

    /// What [`Packed::tile`] has for the tile that starts with `row`, if there is one.
    pub(super) fn ahead(&self, row: usize, step: usize, steps: usize) -> &[f32] {
        if row < self.rows {
            self.tile(row, step, steps)
        } else {
            &[]
        }
    }
}
