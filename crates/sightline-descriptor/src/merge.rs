//! Joining sets: shards into the set that one run would have written.

use std::path::{Path, PathBuf};

use sightline_card::{Card, Circumstances, refuse_to_mix};

use crate::error::SetError;
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
    let mut sets = inputs
        .iter()
        .map(DescriptorSet::open)
        .collect::<Result<Vec<_>, _>>()?;
    in_order(&mut sets)?;
    let Some(first) = sets.first() else {
        return Err(SetError::Merge("no sets were given".to_owned()));
    };
    for set in &sets[1..] {
        let (one, other) = (first.source().display(), set.source().display());
        match (first.card(), set.card()) {
            (Some(left), Some(right)) => {
                refuse_to_mix(&one.to_string(), left, &other.to_string(), right)?;
            }
            (None, None) => {}
            (Some(_), None) => return Err(SetError::Merge(format!("{one} has a card and {other} has none"))),
            (None, Some(_)) => return Err(SetError::Merge(format!("{other} has a card and {one} has none"))),
        }
        if first.dim() != set.dim() {
            let (d1, d2) = (first.dim(), set.dim());
            return Err(SetError::Merge(format!(
                "{one} has rows of {d1} values and {other} of {d2}"
            )));
        }
        if first.row_type() != set.row_type() {
            let (t1, t2) = (first.row_type(), set.row_type());
            return Err(SetError::Merge(format!(
                "{one} has values of type {t1:?} and {other} of {t2:?}"
            )));
        }
    }
    let circumstances = Circumstances::joined(
        sets.iter()
            .filter_map(DescriptorSet::card)
            .map(|card| &card.circumstances),
    );
    let card = first
        .card()
        .map(|card| Card::new(card.identity.clone(), circumstances));
    // Without names in any file there are none to keep: rows are numbered anew.
    let named = sets.iter().any(DescriptorSet::has_names);
    let names: Vec<String> = match named {
        true => sets.iter().flat_map(|set| set.names().iter().cloned()).collect(),
        false => (0..sets.iter().map(DescriptorSet::len).sum::<usize>())
            .map(|i| i.to_string())
            .collect(),
    };
    let header = SetHeader {
        card: card.as_ref(),
        ..SetHeader::new(&names, first.dim(), first.row_type())
    };
    let mut writer = SetWriter::create(output, &header)?;
    for set in &sets {
        for index in 0..set.len() {
            writer.push(&set.row(index))?;
        }
    }
    writer.finish()
}

/// Sorts shards by their numbers and checks that every one is there once.
fn in_order(sets: &mut [DescriptorSet]) -> Result<(), SetError> {
    let Some(count) = sets.iter().find_map(|set| set.shard()).map(|shard| shard.count()) else {
        return Ok(());
    };
    for set in sets.iter() {
        let path = set.source().display();
        match set.shard() {
            None => return Err(SetError::Merge(format!("{path} is no shard, and the others are"))),
            Some(shard) if shard.count() != count => {
                return Err(SetError::Merge(format!(
                    "{path} is shard {shard}, and another is one of {count}"
                )));
            }
            Some(_) => {}
        }
    }
    sets.sort_by_key(|set| set.shard().map(|shard| shard.index()));
    let have: Vec<usize> = sets
        .iter()
        .filter_map(|set| set.shard())
        .map(|shard| shard.index())
        .collect();
    if let Some(twice) = have.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(SetError::Merge(format!(
            "shard {}/{count} was given twice",
            twice[0]
        )));
    }
    if have.len() < count {
        let missing = have
            .iter()
            .enumerate()
            .find(|(i, index)| i + 1 != **index)
            .map_or(have.len() + 1, |(i, _)| i + 1);
        return Err(SetError::Merge(format!("shard {missing}/{count} is missing")));
    }
    Ok(())
}
