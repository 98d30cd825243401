//! Which collections a method that looks at all images at once takes as a whole.

/// Collections up to this many images are taken as a whole, as published.
pub(crate) const MOST_IMAGES: usize = 120_000;
/// First answers of each query that are looked at otherwise.
pub(crate) const TOP: usize = 1000;
/// Images times queries up to which every image of a ranking gets a new place.
const MOST_PLACES: usize = 32_000_000;
/// First answers of each query that get one otherwise.
const FEWER_PLACES: usize = 1000;

/// First answers of each query that such a method looks at: what was asked for, or the `default` in large collections. None where that
/// is the whole collection.
pub(crate) fn first_answers(asked: Option<usize>, images: usize, default: usize) -> Option<usize> {
    let top = match asked {
        Some(top) => top,
        None if images <= MOST_IMAGES => images,
        None => default,
    };
    Some(top).filter(|top| *top < images)
}

/// How many first answers of each query get a new place where the whole collection is looked at.
pub(crate) fn places(images: usize, queries: usize) -> usize {
    match images.saturating_mul(queries) <= MOST_PLACES {
        true => images,
        false => images.min(FEWER_PLACES),
    }
}
