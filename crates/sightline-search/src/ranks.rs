//! Ranks of given rows, counted while the database streams by.

use crate::kernels::Runnable;
use crate::order::score_key;
use crate::rows::{check_behind, check_pair};
use crate::scan::{Group, Plan, spread};
use crate::{Kernel, Rows, SearchError};
use std::cmp::Reverse;

/// Where one row stands among all rows for a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Rows with a strictly larger inner product.
    pub above: usize,
    /// Rows with an equal one and a lower index.
    pub equal_before: usize,
    /// Rows with an equal one, itself included.
    pub equal: usize,
}

impl Rank {
    /// 0-based position in the order of [`top_k`](crate::top_k()).
    pub fn position(&self) -> usize {
        self.above + self.equal_before
    }
}

/// The ranks of the rows `wanted[q]` for each query q, in the order asked for, without sorting or storing the scores:
/// this is what a measure over a million distractors needs.
///
/// Memory beyond the inputs: a few megabytes a thread and about 100 bytes for each wanted row and thread.
///
/// Errors: as [`top_k`](crate::top_k()), and a wanted row that the database lacks.
///
/// ```
/// use sightline_search::{Rows, ranks};
/// let database = [0.1, 0.9, 0.5, 0.5];
/// let found = ranks(Rows::f32(&[1.0], 1), Rows::f32(&database, 1), &[vec![3, 1]])?;
/// assert_eq!(found[0].iter().map(|rank| rank.position()).collect::<Vec<_>>(), [2, 0]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn ranks(
    queries: Rows<'_>,
    database: Rows<'_>,
    wanted: &[Vec<u32>],
) -> Result<Vec<Vec<Rank>>, SearchError> {
    ranks_among(queries, database, &[], wanted)
}

/// [`ranks`] among the rows of `database` and those of `behind`, which follow behind the database's in this order (so that they
/// lose every tie) and are counted on, as wanted rows too. The sets may be stored differently; nothing is copied together.
///
/// Errors: as [`ranks`], for every pair of queries and set.
///
/// ```
/// use sightline_search::{Rows, ranks_among};
/// let (database, distractors) = ([0.1, 0.5], [0.9, 0.5, 0.0]);
/// let sets = [Rows::f32(&distractors, 1)];
/// let found = ranks_among(Rows::f32(&[1.0], 1), Rows::f32(&database, 1), &sets, &[vec![1, 0, 3]])?;
/// assert_eq!(found[0].iter().map(|rank| rank.position()).collect::<Vec<_>>(), [1, 3, 2]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn ranks_among(
    queries: Rows<'_>,
    database: Rows<'_>,
    behind: &[Rows<'_>],
    wanted: &[Vec<u32>],
) -> Result<Vec<Vec<Rank>>, SearchError> {
    let (count, rows) = check_pair(&queries, &database)?;
    check_behind(&queries, rows, behind)?;
    let all = rows + behind.iter().map(Rows::count).sum::<usize>();
    if wanted.len() != count {
        return Err(SearchError::Lists {
            what: "lists of wanted rows",
            lists: wanted.len(),
            queries: count,
        });
    }
    if let Some(row) = wanted.iter().flatten().find(|row| **row as usize >= all) {
        return Err(SearchError::NoSuchRow {
            row: *row as usize,
            rows: all,
        });
    }
    if wanted.iter().all(Vec::is_empty) {
        return Ok(vec![Vec::new(); count]);
    }
    let kernel = Runnable::new(Kernel::best());
    let plan = Plan::new(queries.dim, count, rows);
    let sets: Vec<&Rows<'_>> = std::iter::once(&database).chain(behind).collect();
    let marks = spread_marks(kernel, &queries, &sets, wanted, &plan);
    let mut totals: Vec<Counts> = marks.iter().map(Counts::new).collect();
    let mut before = 0;
    for set in sets {
        for (total, counts) in totals
            .iter_mut()
            .zip(count_set(kernel, &queries, set, before, &marks))
        {
            total.join(&counts);
        }
        before += set.count();
    }
    Ok(totals
        .iter()
        .zip(&marks)
        .zip(wanted)
        .map(|((total, marks), wanted)| total.ranks(marks, wanted))
        .collect())
}

/// What one set adds to the counts of every query; `before` rows of other sets precede it.
fn count_set(
    kernel: Runnable,
    queries: &Rows<'_>,
    set: &Rows<'_>,
    before: usize,
    marks: &[Marks],
) -> Vec<Counts> {
    let plan = Plan::new(queries.dim, marks.len(), set.count());
    let groups = spread(
        &plan,
        marks.len(),
        set.count(),
        |group, part| {
            let mut counts: Vec<Counts> = marks[group.clone()].iter().map(Counts::new).collect();
            let start = group.start;
            Group::new(queries, group).scan(kernel, set, part, |query, first, scores| {
                counts[query].add(&marks[start + query], before + first, scores);
            });
            counts
        },
        |group, parts| {
            group
                .clone()
                .map(|query| {
                    let mut total = Counts::new(&marks[query]);
                    for part in &parts {
                        total.join(&part[query - group.start]);
                    }
                    total
                })
                .collect::<Vec<_>>()
        },
    );
    groups.into_iter().flatten().collect()
}

/// The wanted rows of one query by descending score, then ascending row.
struct Marks {
    sorted: Vec<(Reverse<u32>, u32)>,
    /// The distinct scores, descending, as keys.
    keys: Vec<u32>,
    /// Where the rows of each key begin in `sorted`; one more at the end.
    starts: Vec<usize>,
    /// Key of each wanted row's score, in the order asked for.
    asked: Vec<u32>,
}

fn spread_marks(
    kernel: Runnable,
    queries: &Rows<'_>,
    sets: &[&Rows<'_>],
    wanted: &[Vec<u32>],
    plan: &Plan,
) -> Vec<Marks> {
    // One query and one row at a time: an inner product has the same bits wherever it is computed.
    let one = |query: usize| {
        let alone = Group::new(queries, query..query + 1);
        let asked: Vec<u32> = wanted[query]
            .iter()
            .map(|row| {
                let mut row = *row as usize;
                let mut key = 0;
                for set in sets {
                    if row < set.count() {
                        alone.scan(kernel, set, row..row + 1, |_, _, scores| {
                            key = scores.first().copied().map_or(0, score_key);
                        });
                        break;
                    }
                    row -= set.count();
                }
                key
            })
            .collect();
        Marks::new(asked, &wanted[query])
    };
    let alone = Plan {
        group: plan.group.div_ceil(8),
        part: 1,
    };
    let groups = spread(
        &alone,
        wanted.len(),
        1,
        |group, _| group.map(one).collect::<Vec<_>>(),
        |_, parts| parts,
    );
    groups.into_iter().flatten().flatten().collect()
}

impl Marks {
    fn new(asked: Vec<u32>, rows: &[u32]) -> Self {
        let mut sorted: Vec<_> = asked
            .iter()
            .copied()
            .map(Reverse)
            .zip(rows.iter().copied())
            .collect();
        sorted.sort_unstable();
        sorted.dedup();
        let (mut keys, mut starts) = (Vec::new(), Vec::new());
        for (i, (Reverse(key), _)) in sorted.iter().enumerate() {
            if keys.last() != Some(key) {
                keys.push(*key);
                starts.push(i);
            }
        }
        starts.push(sorted.len());
        Self {
            sorted,
            keys,
            starts,
            asked,
        }
    }
}

/// What has been counted for one query: numbers that are summed up at the end.
struct Counts {
    /// Rows below the key before and above this one.
    between: Vec<usize>,
    /// Rows with this key.
    equal: Vec<usize>,
    /// Rows with the key of a wanted row that lie after the wanted row before it and before this one.
    before: Vec<usize>,
}

impl Counts {
    fn new(marks: &Marks) -> Self {
        Self {
            between: vec![0; marks.keys.len() + 1],
            equal: vec![0; marks.keys.len()],
            before: vec![0; marks.sorted.len()],
        }
    }

    fn add(&mut self, marks: &Marks, first: usize, scores: &[f32]) {
        let Some(lowest) = marks.keys.last() else {
            return;
        };
        for (row, score) in (first..).zip(scores) {
            let key = score_key(*score);
            if key < *lowest {
                continue;
            }
            let slot = marks.keys.partition_point(|mark| *mark > key);
            if marks.keys[slot] != key {
                self.between[slot] += 1;
                continue;
            }
            // As many as this one are above the next key.
            self.between[slot + 1] += 1;
            self.equal[slot] += 1;
            let group = &marks.sorted[marks.starts[slot]..marks.starts[slot + 1]];
            let next = group.partition_point(|(_, wanted)| *wanted as usize <= row);
            if next < group.len() {
                self.before[marks.starts[slot] + next] += 1;
            }
        }
    }

    fn join(&mut self, other: &Self) {
        let pairs = [
            (&mut self.between, &other.between),
            (&mut self.equal, &other.equal),
            (&mut self.before, &other.before),
        ];
        for (to, from) in pairs {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }

    fn ranks(&self, marks: &Marks, wanted: &[u32]) -> Vec<Rank> {
        let mut ranks = Vec::with_capacity(marks.sorted.len());
        let mut above = 0;
        for (slot, ends) in marks.starts.windows(2).enumerate() {
            above += self.between[slot];
            let mut equal_before = 0;
            for count in &self.before[ends[0]..ends[1]] {
                equal_before += count;
                ranks.push(Rank {
                    above,
                    equal_before,
                    equal: self.equal[slot],
                });
            }
        }
        marks
            .asked
            .iter()
            .zip(wanted)
            .filter_map(|(key, row)| marks.sorted.binary_search(&(Reverse(*key), *row)).ok())
            .map(|at| ranks[at])
            .collect()
    }
}
