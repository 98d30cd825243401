//! Which collections a method that looks at all images at once takes as a whole.

/// Collections up to this many images are taken as a whole, as published.
pub(crate) const MOST_IMAGES: usize = 120_000;
/// Images times queries up to which every image of a ranking gets a new place.
const MOST_PLACES: usize = 32_000_000;
/// First answers of each query that get one otherwise.
const FEWER_PLACES: usize = 1000;

/// How many first answers of each query such a method places anew.
pub(crate) fn places(images: usize, queries: usize) -> usize {
    match images.saturating_mul(queries) <= MOST_PLACES {
        true => images,
        false => images.min(FEWER_PLACES),
    }
}
