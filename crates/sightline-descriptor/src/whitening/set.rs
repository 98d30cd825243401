//! A whole descriptor set through a whitening.

use rayon::prelude::*;
use sightline_card::Card;

use super::{Whitening, WhiteningError};
use crate::{DescriptorSet, SetError};

/// Rows that are whitened before they are handed on.
const ROWS_AT_ONCE: usize = 4096;
/// Rows of one thread's share.
const ROWS_OF_A_SHARE: usize = 32;

impl Whitening {
    /// The card of a set after whitening; none where the set has none.
    ///
    /// # Errors
    /// When the set's rows have another length, or its card says that they are whitened already.
    pub fn card_of(&self, set: &DescriptorSet) -> Result<Option<Card>, WhiteningError> {
        let name = || self.identity().name.clone();
        if set.dim() != self.input_dim() {
            return Err(WhiteningError::Dimension {
                name: name(),
                want: self.input_dim(),
                got: set.dim(),
            });
        }
        let Some(mut card) = set.card().cloned() else {
            return Ok(None);
        };
        if let Some(before) = &card.identity.whitening {
            return Err(WhiteningError::Twice {
                name: name(),
                set: set.source().display().to_string(),
                before: before.name.clone(),
            });
        }
        card.identity.whitening = Some(self.identity().clone());
        card.identity.dim = self.output_dim();
        Ok(Some(card))
    }

    /// Hands every row of a set to `each`, whitened and in order; memory does not grow with the set.
    ///
    /// # Errors
    /// As [`Whitening::card_of`]; when a row is exactly the mean, so that nothing is left to divide by; what `each` says.
    pub fn apply_to_set<E: From<WhiteningError>>(
        &self,
        set: &DescriptorSet,
        mut each: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.card_of(set)?;
        let (dim, out_dim) = (self.input_dim(), self.output_dim());
        for first in (0..set.len()).step_by(ROWS_AT_ONCE) {
            let end = set.len().min(first + ROWS_AT_ONCE);
            let block: Vec<f32> = (first..end).flat_map(|row| set.row(row)).collect();
            let shares: Vec<Vec<f32>> = block
                .par_chunks(ROWS_OF_A_SHARE * dim)
                .map(|rows| self.apply(rows))
                .collect::<Result<_, _>>()?;
            let rows = shares.iter().flat_map(|share| share.chunks_exact(out_dim));
            for (row, values) in (first..end).zip(rows) {
                if values.iter().any(|x| !x.is_finite()) {
                    return Err(E::from(WhiteningError::NotFinite {
                        name: self.identity().name.clone(),
                        row: set.names()[row].clone(),
                    }));
                }
                each(values)?;
            }
        }
        Ok(())
    }

    /// A set with whitened rows, in memory.
    ///
    /// # Errors
    /// As [`Whitening::apply_to_set`].
    pub fn whitened(&self, set: &DescriptorSet) -> Result<DescriptorSet, SetError> {
        let card = self.card_of(set)?;
        let mut rows = Vec::with_capacity(set.len().saturating_mul(self.output_dim()));
        self.apply_to_set(set, |row| -> Result<(), SetError> {
            rows.extend_from_slice(row);
            Ok(())
        })?;
        Ok(set.with_rows(self.output_dim(), rows, card))
    }
}
