//! The words that a clustering starts from.

use super::lloyd::nearest;
use super::mersenne::{Mersenne, rand_perm};
use super::points::Points;
use crate::quantiser::Quantiser;
use crate::{Rows, SearchError};

/// Vectors for each word that k-means++ looks at, and how many it looks at in any case.
const PLUS_PLUS_SHARE: usize = 16;
const PLUS_PLUS_LEAST: usize = 1 << 14;
/// k-means++ draws one word at a time for each so many that there are already.
const PLUS_PLUS_ROUND: usize = 64;

/// Vectors drawn at random, `[words, dim]`, as faiss draws them: the first of a permutation with the next seed.
pub(super) fn random(points: &Points<'_>, words: usize, seed: u64) -> Result<Vec<f32>, SearchError> {
    let mut order = rand_perm(points.count(), seed.wrapping_add(1));
    order.truncate(words);
    Ok(points.choose(order)?.rows(0..words).into_owned())
}

/// Vectors drawn far from one another: k-means++ (Arthur and Vassilvitskii 2007). Each is drawn with a probability in
/// proportion to its squared distance from the nearest of those before.
///
/// It looks at 16 random vectors a word (16,384 at least) and not at all of them. Beyond 128 words it draws several at a
/// time, one for each 64 there are, before distances are taken again, as k-means|| does (Bahmani and others 2012), so
/// that 65,536 words need some 500 passes and not 65,536. `watch` is told how many words there are; None where it
/// answers no.
pub(super) fn plus_plus(
    points: &Points<'_>,
    words: usize,
    seed: u64,
    watch: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<f32>>, SearchError> {
    let mut order = rand_perm(points.count(), seed.wrapping_add(1));
    order.truncate(words.saturating_mul(PLUS_PLUS_SHARE).max(PLUS_PLUS_LEAST));
    let points = points.choose(order)?;
    let count = points.count();
    let mut random = Mersenne::new(seed.wrapping_add(2) as u32);
    // The first of a random order is a random one.
    let mut chosen = vec![0_u32];
    let mut taken = vec![false; count];
    taken[0] = true;
    let mut nearest_yet = vec![f32::INFINITY; count];
    let mut looked_at = 0;
    while chosen.len() < words {
        if !watch(chosen.len()) {
            return Ok(None);
        }
        let fresh = points.choose(chosen[looked_at..].to_vec())?;
        let fresh = Quantiser::new(Rows::f32(&fresh.rows(0..fresh.count()), points.dim()))?;
        looked_at = chosen.len();
        let mut sum = 0.0_f64;
        let mut sums = Vec::with_capacity(count);
        for (place, found) in nearest(&points, 0..count, &fresh).into_iter().enumerate() {
            nearest_yet[place] = nearest_yet[place].min(found.distance);
            if !taken[place] {
                sum += f64::from(nearest_yet[place]);
            }
            sums.push(sum);
        }
        let wanted = (looked_at / PLUS_PLUS_ROUND).max(1).min(words - looked_at);
        for _ in 0..wanted {
            let drawn = random.double() * sum;
            let drawn = sums.partition_point(|sum| *sum <= drawn).min(count - 1);
            // The next free one, where it is taken, or where all vectors are equal to some word.
            let mut free = (drawn..count).chain(0..drawn);
            if let Some(place) = free.find(|place| !taken[*place]) {
                taken[place] = true;
                chosen.push(place as u32);
            }
        }
    }
    Ok(Some(points.choose(chosen)?.rows(0..words).into_owned()))
}
