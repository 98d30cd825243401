//! Every inner product of a few vectors with many.

use crate::kernels::Runnable;
use crate::rows::check_pair;
use crate::scan::{Group, Plan, spread};
use crate::{Kernel, Rows, SearchError};

/// The inner products `[q, n]` of `queries` `[q, dim]` with `rows` `[n, dim]`, with the bits that a search gives them.
///
/// Memory: 4 bytes for each, twice; works on rayon's current pool.
///
/// # Errors
/// When rows are not whole, differ in length, or are 2^32 and more.
///
/// ```
/// use sightline_search::{Rows, inner_products};
/// let products = inner_products(Rows::f32(&[1.0, 2.0], 2), Rows::f32(&[3.0, 4.0, 0.5, 0.0], 2))?;
/// assert_eq!(products, [11.0, 0.5]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn inner_products(queries: Rows<'_>, rows: Rows<'_>) -> Result<Vec<f32>, SearchError> {
    let (count, length) = check_pair(&queries, &rows)?;
    let kernel = Runnable::new(Kernel::best());
    let groups = spread(
        &Plan::new(queries.dim, count, length),
        count,
        length,
        |group, part| {
            let (width, start) = (part.len(), part.start);
            let mut products = vec![0.0; group.len() * width];
            let group = Group::new(&queries, group);
            group.scan(kernel, &rows, part, |query, first, scores| {
                let place = query * width + first - start;
                products[place..place + scores.len()].copy_from_slice(scores);
            });
            products
        },
        |group, parts| {
            let mut joined = Vec::with_capacity(group.len() * length);
            for query in 0..group.len() {
                for part in &parts {
                    let width = part.len() / group.len();
                    joined.extend_from_slice(&part[query * width..(query + 1) * width]);
                }
            }
            joined
        },
    );
    Ok(groups.concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::top_k;

    #[test]
    fn they_are_those_of_a_search() {
        let values = |count: usize| -> Vec<f32> {
            (0..count)
                .map(|i| (i * 7919 % 613) as f32 / 300.0 - 1.0)
                .collect()
        };
        for (count, length, dim) in [(1, 1000, 5), (7, 431, 33), (1100, 3, 4), (0, 5, 3), (5, 0, 3)] {
            let (queries, rows) = (values(count * dim), values(length * dim));
            let (queries, rows) = (Rows::f32(&queries, dim), Rows::f32(&rows, dim));
            let products = inner_products(queries, rows).unwrap();
            assert_eq!(products.len(), count * length);
            for (query, hits) in top_k(queries, rows, length, None).unwrap().iter().enumerate() {
                for hit in hits {
                    assert_eq!(products[query * length + hit.index], hit.score);
                }
            }
        }
    }
}
