//! What belongs together: in which order files are joined, and the card of the whole.

use std::path::Path;

use sightline_card::{Card, Circumstances, refuse_to_mix};

use crate::error::SetError;
use crate::set::{RowType, Shard};

/// One of the files that are to be joined.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The file, for messages.
    pub source: &'a Path,
    /// What made its rows.
    pub card: Option<&'a Card>,
    /// Which part of a list it is.
    pub shard: Option<Shard>,
    /// Values of a row.
    pub dim: usize,
    /// How the values are stored.
    pub row_type: RowType,
}

/// The order in which files are joined, as indices into `parts`, and the card of the whole.
///
/// Shards are put in the order of their numbers and must be complete; files that are no shards stay in the order given. Where
/// circumstances differ, the card lists the different values.
///
/// # Errors
/// When there are none, a shard is missing or there twice, or they were not made alike (identity, card or none, number of values,
/// type of values).
pub fn join_order(parts: &[Part<'_>]) -> Result<(Vec<usize>, Option<Card>), SetError> {
    let order = in_order(parts)?;
    let Some(first) = order.first().map(|index| &parts[*index]) else {
        return Err(SetError::Merge("no sets were given".to_owned()));
    };
    for part in order[1..].iter().map(|index| &parts[*index]) {
        let (one, other) = (first.source.display(), part.source.display());
        match (first.card, part.card) {
            (Some(left), Some(right)) => {
                refuse_to_mix(&one.to_string(), left, &other.to_string(), right)?;
            }
            (None, None) => {}
            (Some(_), None) => return Err(SetError::Merge(format!("{one} has a card and {other} has none"))),
            (None, Some(_)) => return Err(SetError::Merge(format!("{other} has a card and {one} has none"))),
        }
        if first.dim != part.dim {
            let (d1, d2) = (first.dim, part.dim);
            return Err(SetError::Merge(format!(
                "{one} has rows of {d1} values and {other} of {d2}"
            )));
        }
        if first.row_type != part.row_type {
            let (t1, t2) = (first.row_type, part.row_type);
            return Err(SetError::Merge(format!(
                "{one} has values of type {t1:?} and {other} of {t2:?}"
            )));
        }
    }
    let circumstances = Circumstances::joined(
        order
            .iter()
            .filter_map(|index| parts[*index].card)
            .map(|card| &card.circumstances),
    );
    let card = first
        .card
        .map(|card| Card::new(card.identity.clone(), circumstances));
    Ok((order, card))
}

/// Shards by their numbers, after checking that every one is there once.
fn in_order(parts: &[Part<'_>]) -> Result<Vec<usize>, SetError> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let Some(count) = parts.iter().find_map(|part| part.shard).map(Shard::count) else {
        return Ok(order);
    };
    let mut have = Vec::with_capacity(parts.len());
    for part in parts {
        let path = part.source.display();
        match part.shard {
            None => return Err(SetError::Merge(format!("{path} is no shard, and the others are"))),
            Some(shard) if shard.count() != count => {
                return Err(SetError::Merge(format!(
                    "{path} is shard {shard}, and another is one of {count}"
                )));
            }
            Some(shard) => have.push(shard.index()),
        }
    }
    order.sort_by_key(|index| have[*index]);
    have.sort_unstable();
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
    Ok(order)
}
