//! The lists of nearest images that diffusion starts from.

use crate::Gallery;
use rayon::prelude::*;
use sightline_search::{Hit, KnnGraph, Rows, SearchError, knn_graph};
use std::borrow::Cow;

/// Bytes of the neighbours of all images, up to which the long lists are computed together with the short ones. Larger ones are searched
/// for when their image is at hand, and only if it is needed at all.
const GRAPH_BYTES: usize = 64 << 20;

/// The `k` nearest images of each; the stored ones where they are enough.
pub(super) fn graph<'a>(
    images: &Gallery<'_>,
    k: usize,
    stored: Option<&'a KnnGraph>,
) -> Result<Cow<'a, KnnGraph>, SearchError> {
    let count = images.count();
    let fitting = stored.filter(|graph| graph.count() == count && graph.k >= k.min(count));
    match fitting {
        Some(graph) => Ok(Cow::Borrowed(graph)),
        None => knn_graph(images.sets(), k).map(Cow::Owned),
    }
}

/// How many neighbours to compute of each of `count` images where lists of `short` are needed of all and such of `long` of many.
pub(super) fn worthwhile(count: usize, short: usize, long: usize) -> usize {
    let long = long.min(count);
    let bytes = count.saturating_mul(long).saturating_mul(size_of::<(u32, f32)>());
    if bytes <= GRAPH_BYTES {
        long.max(short)
    } else {
        short
    }
}

/// The `length` nearest images of each of `rows`, all of them where there are fewer; itself always first.
pub(super) fn truncated(
    images: &Gallery<'_>,
    graph: &KnnGraph,
    rows: &[u32],
    length: usize,
) -> Result<Vec<Vec<u32>>, SearchError> {
    let length = length.min(images.count());
    if graph.k >= length {
        let list = |row: &u32| own_first(*row, graph.list(*row as usize), length);
        return Ok(rows.par_iter().map(list).collect());
    }
    let values = images.gather(rows.iter().map(|row| *row as usize));
    let lists = images.best(Rows::f32(&values, images.dim()), length, &[])?;
    let lists = rows.iter().zip(lists);
    Ok(lists
        .map(|(row, list)| own_first(*row, list.into_iter(), length))
        .collect())
}

/// An image and its nearest others. A duplicate, or a longer descriptor, may stand before the image itself, or push it out.
fn own_first(row: u32, list: impl Iterator<Item = Hit>, length: usize) -> Vec<u32> {
    let others = list.map(|hit| hit.index as u32).filter(|other| *other != row);
    std::iter::once(row).chain(others).take(length).collect()
}
