//! Vectors as they lie in memory.

use crate::SearchError;
use half::f16;

/// Values of many vectors behind each other.
#[derive(Clone, Copy, Debug)]
pub enum RowData<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 16-bit floats; products are computed in f32, so this is a way of storing, not of computing.
    F16(&'a [f16]),
}

/// A matrix [rows, dim], row-major.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Values of one vector.
    pub dim: usize,
    /// All values.
    pub data: RowData<'a>,
}

impl<'a> Rows<'a> {
    /// Vectors of `dim` 32-bit floats.
    pub fn f32(data: &'a [f32], dim: usize) -> Self {
        Self {
            dim,
            data: RowData::F32(data),
        }
    }

    /// Vectors of `dim` 16-bit floats.
    pub fn f16(data: &'a [f16], dim: usize) -> Self {
        Self {
            dim,
            data: RowData::F16(data),
        }
    }

    /// How many vectors there are (0 where `dim` is 0).
    pub fn count(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Vectors `range`; cut to those that there are.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Rows<'a> {
        let count = self.count();
        let (first, end) = (range.start.min(count), range.end.min(count));
        Rows {
            dim: self.dim,
            data: self.part(first, end.saturating_sub(first)),
        }
    }

    pub(crate) fn check(&self, what: &'static str) -> Result<usize, SearchError> {
        if self.dim == 0 || !self.data.len().is_multiple_of(self.dim) {
            return Err(SearchError::Shape {
                what,
                values: self.data.len(),
                dim: self.dim,
            });
        }
        Ok(self.count())
    }

    /// Vectors `first..first + count`; the caller has checked that they exist.
    pub(crate) fn part(&self, first: usize, count: usize) -> RowData<'a> {
        let range = first * self.dim..(first + count) * self.dim;
        match self.data {
            RowData::F32(values) => RowData::F32(&values[range]),
            RowData::F16(values) => RowData::F16(&values[range]),
        }
    }
}

impl RowData<'_> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }
}

/// Checks both sides of a search and gives the number of queries and of database rows.
pub(crate) fn check_pair(queries: &Rows<'_>, database: &Rows<'_>) -> Result<(usize, usize), SearchError> {
    let counts = (queries.check("queries")?, database.check("database rows")?);
    if queries.dim != database.dim {
        return Err(SearchError::Dimensions {
            queries: queries.dim,
            database: database.dim,
        });
    }
    if counts.1 > u32::MAX as usize {
        return Err(SearchError::TooManyRows { rows: counts.1 });
    }
    Ok(counts)
}

/// Checks sets that follow behind a database of `rows` rows in one search.
pub(crate) fn check_behind(queries: &Rows<'_>, rows: usize, behind: &[Rows<'_>]) -> Result<(), SearchError> {
    let mut total = rows;
    for set in behind {
        total += check_pair(queries, set)?.1;
    }
    if total > u32::MAX as usize {
        return Err(SearchError::TooManyRows { rows: total });
    }
    Ok(())
}
