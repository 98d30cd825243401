//! A descriptor set with one descriptor a picture, each made of the local features of its picture.

use crate::feature_file::FeatureFile;
use sightline_card::{AggregationIdentity, WhiteningIdentity};
use sightline_descriptor::{RowType, SetError, SetHeader, SetWriter};
use std::ops::Range;
use std::path::Path;

/// Where the set goes, and how its rows are made.
pub struct AggregatedSet<'a> {
    /// The set to write.
    pub output: &'a Path,
    /// Type of its values.
    pub row_type: RowType,
    /// Length of a descriptor.
    pub dim: usize,
    /// How many pictures are described at a time at most.
    pub together: usize,
}

impl AggregatedSet<'_> {
    /// Writes a row for every picture of `file`, in its order and as a stream: `describe` makes those of a range of pictures, and
    /// `watch` is told how many are done. The whitening of the local features moves into the card's `aggregation`, so that the set
    /// itself can be whitened. Gives how many pictures had no features.
    ///
    /// # Errors
    /// When the file system refuses, or as `describe`.
    pub fn write<E: From<SetError>>(
        &self,
        file: &FeatureFile,
        aggregation: impl FnOnce(Option<WhiteningIdentity>) -> AggregationIdentity,
        mut describe: impl FnMut(Range<usize>) -> Result<Vec<Vec<f32>>, E>,
        watch: &mut dyn FnMut(usize),
    ) -> Result<usize, E> {
        let mut card = file.card().cloned();
        if let Some(identity) = card.as_mut().map(|card| &mut card.identity) {
            identity.dim = self.dim;
            if let Some(local) = &mut identity.local {
                local.aggregation = Some(aggregation(identity.whitening.take()));
            }
        }
        let mut header = SetHeader::new(file.names(), self.dim, self.row_type);
        header.card = card.as_ref();
        header.shard = file.shard();
        let mut writer = SetWriter::create(self.output, &header)?;
        for first in (0..file.len()).step_by(self.together.max(1)) {
            let end = file.len().min(first + self.together.max(1));
            for row in describe(first..end)? {
                writer.push(&row)?;
            }
            watch(end);
        }
        writer.finish()?;
        Ok((0..file.len())
            .filter(|picture| file.range(*picture).is_empty())
            .count())
    }
}
