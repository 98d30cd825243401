//! The k best rows of each query.

use crate::kernels::Runnable;
use crate::order::Candidate;
use crate::rows::{check_behind, check_pair};
use crate::scan::{Group, Plan, spread};
use crate::selection::{Selection, keep_best};
use crate::{Hit, Kernel, Rows, SearchError};
use rayon::prelude::*;
use std::cmp::Reverse;

/// Candidates that [`rank_all`] holds at once, beside its result.
const RANKING_CANDIDATES: usize = 16 << 20;

/// The `k` rows of `database` with the largest inner product with each query, best first; fewer where the database has
/// fewer. Equal scores put the lower row first, NaN comes last.
///
/// `queries`: [q, dim]; `database`: [n, dim], n < 2^32; `exclude`: for each query a row that is no answer (such as the
/// query itself). Works on rayon's current pool; memory beyond the inputs grows with q · k and not with n.
///
/// Errors: rows that are not whole, different `dim`, an `exclude` of another length than the queries.
///
/// ```
/// use sightline_search::{Rows, top_k};
/// let points = [1.0, 0.0, 0.9, 0.1, 0.0, 1.0];
/// let own: Vec<Option<usize>> = (0..3).map(Some).collect();
/// let hits = top_k(Rows::f32(&points, 2), Rows::f32(&points, 2), 1, Some(&own))?;
/// assert_eq!(hits.iter().map(|hits| hits[0].index).collect::<Vec<_>>(), [1, 0, 1]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn top_k(
    queries: Rows<'_>,
    database: Rows<'_>,
    k: usize,
    exclude: Option<&[Option<usize>]>,
) -> Result<Vec<Vec<Hit>>, SearchError> {
    top_k_with(Kernel::best(), queries, database, k, exclude)
}

/// [`top_k`] over the rows of `database` and, behind them in this order, those of the sets `behind`: an index at or above
/// the database's length counts on into these. `exclude` counts alike.
///
/// Errors: as [`top_k`], for every pair of queries and set.
///
/// ```
/// use sightline_search::{Rows, top_k_among};
/// let (database, distractors) = ([0.1, 0.5], [0.9, 0.5]);
/// let sets = [Rows::f32(&distractors, 1)];
/// let hits = top_k_among(Rows::f32(&[1.0], 1), Rows::f32(&database, 1), &sets, 3, None)?;
/// assert_eq!(hits[0].iter().map(|hit| hit.index).collect::<Vec<_>>(), [2, 1, 3]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn top_k_among(
    queries: Rows<'_>,
    database: Rows<'_>,
    behind: &[Rows<'_>],
    k: usize,
    exclude: Option<&[Option<usize>]>,
) -> Result<Vec<Vec<Hit>>, SearchError> {
    let (_, rows) = check_pair(&queries, &database)?;
    check_behind(&queries, rows, behind)?;
    let mut all = best(Kernel::best(), &queries, &database, k, exclude)?;
    let mut before = rows;
    for set in behind {
        let within: Option<Vec<Option<usize>>> = exclude.map(|exclude| {
            let own = |row: &Option<usize>| row.and_then(|row| row.checked_sub(before));
            exclude.iter().map(own).collect()
        });
        let more = best(Kernel::best(), &queries, set, k, within.as_deref())?;
        for (kept, more) in all.iter_mut().zip(more) {
            kept.extend(more.into_iter().map(|one| one.moved(before as u32)));
            kept.sort_unstable_by_key(|candidate| Reverse(*candidate));
            kept.truncate(k);
        }
        before += set.count();
    }
    Ok(all
        .into_iter()
        .map(|of_query| of_query.into_iter().map(Candidate::hit).collect())
        .collect())
}

/// [`top_k`] with a kernel of one's choice (plain code where the processor lacks it); for measuring, since all kernels
/// answer alike.
pub fn top_k_with(
    kernel: Kernel,
    queries: Rows<'_>,
    database: Rows<'_>,
    k: usize,
    exclude: Option<&[Option<usize>]>,
) -> Result<Vec<Vec<Hit>>, SearchError> {
    let best = best(kernel, &queries, &database, k, exclude)?;
    Ok(best
        .into_iter()
        .map(|of_query| of_query.into_iter().map(Candidate::hit).collect())
        .collect())
}

/// The whole ranking of each query: all rows, best first, in the order of [`top_k`].
///
/// Memory: 4 bytes for each query and row. For the ranks of a few rows in a large database use
/// [`ranks`](crate::ranks()).
pub fn rank_all(queries: Rows<'_>, database: Rows<'_>) -> Result<Vec<Vec<u32>>, SearchError> {
    let (count, rows) = check_pair(&queries, &database)?;
    let at_once = (RANKING_CANDIDATES / rows.max(1)).max(1);
    let mut rankings = Vec::with_capacity(count);
    for first in (0..count).step_by(at_once) {
        let some = Rows {
            dim: queries.dim,
            data: queries.part(first, at_once.min(count - first)),
        };
        let best = best(Kernel::best(), &some, &database, rows, None)?;
        rankings.par_extend(
            best.into_par_iter()
                .map(|of_query| of_query.into_iter().map(Candidate::row).collect::<Vec<_>>()),
        );
    }
    Ok(rankings)
}

fn best(
    kernel: Kernel,
    queries: &Rows<'_>,
    database: &Rows<'_>,
    k: usize,
    exclude: Option<&[Option<usize>]>,
) -> Result<Vec<Vec<Candidate>>, SearchError> {
    let (count, rows) = check_pair(queries, database)?;
    if let Some(exclude) = exclude
        && exclude.len() != count
    {
        return Err(SearchError::Lists {
            what: "rows to exclude",
            lists: exclude.len(),
            queries: count,
        });
    }
    let k = k.min(rows);
    if k == 0 {
        return Ok(vec![Vec::new(); count]);
    }
    let kernel = Runnable::new(kernel);
    let plan = Plan::new(queries.dim, count, rows);
    let groups = spread(
        &plan,
        count,
        rows,
        |group, part| {
            let mut selections: Vec<Selection> = group
                .clone()
                .map(|query| Selection::new(k, exclude.and_then(|exclude| exclude[query])))
                .collect();
            Group::new(queries, group).scan(kernel, database, part, |query, first, scores| {
                selections[query].offer(first, scores);
            });
            selections
        },
        |group, parts| {
            let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
            let joined: Vec<Vec<Candidate>> = group
                .map(|_| {
                    parts
                        .iter_mut()
                        .filter_map(Iterator::next)
                        .flat_map(Selection::into_kept)
                        .collect()
                })
                .collect();
            joined
                .into_par_iter()
                .map(|mut kept| {
                    keep_best(&mut kept, k);
                    kept.sort_unstable_by_key(|candidate| Reverse(*candidate));
                    kept
                })
                .collect::<Vec<_>>()
        },
    );
    Ok(groups.into_iter().flatten().collect())
}
