//! Joining sets: shards into the set that one run would have written.

use std::path::{Path, PathBuf};

use crate::error::SetError;
use crate::join::{Part, join_order};
use crate::set::DescriptorSet;
use crate::writer::{SetHeader, SetWriter};

/// Joins sets into one at `output`, row after row.
///
/// Shards are put in the order of their numbers, whatever the order of `inputs`, and must be complete; the result then equals,
/// byte for byte, what one run without shards would have written. Sets that are no shards are joined in the order given. All
/// must have the same identity (or none of them a card), the same number of values and the same type of values. Where
/// circumstances differ, the merged card lists the different values.
///
/// # Errors
/// When a set cannot be read, they do not belong together, or the output cannot be written.
pub fn merge(inputs: &[PathBuf], output: &Path) -> Result<(), SetError> {
    let sets = inputs
        .iter()
        .map(DescriptorSet::open)
        .collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<Part<'_>> = sets
        .iter()
        .map(|set| Part {
            source: set.source(),
            card: set.card(),
            shard: set.shard(),
            dim: set.dim(),
            row_type: set.row_type(),
        })
        .collect();
    let (order, card) = join_order(&parts)?;
    let sets: Vec<&DescriptorSet> = order.iter().map(|index| &sets[*index]).collect();
    let first = sets[0];
    // Without names in any file there are none to keep: rows are numbered anew.
    let named = sets.iter().any(|set| set.has_names());
    let names: Vec<String> = match named {
        true => sets.iter().flat_map(|set| set.names().iter().cloned()).collect(),
        false => (0..sets.iter().map(|set| set.len()).sum::<usize>())
            .map(|i| i.to_string())
            .collect(),
    };
    let header = SetHeader {
        card: card.as_ref(),
        ..SetHeader::new(&names, first.dim(), first.row_type())
    };
    let mut writer = SetWriter::create(output, &header)?;
    for set in sets {
        for index in 0..set.len() {
            writer.push(&set.row(index))?;
        }
    }
    writer.finish()
}
