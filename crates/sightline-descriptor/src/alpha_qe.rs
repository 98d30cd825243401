//! Query expansion and database augmentation with weights similarity^alpha.
//!
//! A descriptor is replaced by the weighted sum of itself and its nearest neighbours. Source: dirtorch `test_dir.py`
//! `expand_descriptors` (`--aqe`, `--adba`); the published alpha-QE (Radenovic et al., TPAMI 2018: alpha 3, 50 neighbours) is
//! the same formula.

use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;
use sightline_search::{Hit, RowData, Rows, SearchError, top_k_among};

/// Descriptors whose neighbours are held at once.
const ROWS_AT_ONCE: usize = 4096;

/// How many neighbours, and how their weights fall off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// Number of neighbours; 0 leaves descriptors as they are.
    pub k: usize,
    /// Exponent of the similarity: 0 is plain averaging. A whole number, since similarities below zero have no other powers; they
    /// keep their sign for odd exponents and lose it for even ones.
    pub alpha: u32,
}

/// Why descriptors could not be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// More neighbours than rows.
    #[error(
        "{k} neighbours were asked for, and the database has {rows} descriptors. Ask for at most {rows}."
    )]
    TooManyNeighbours {
        /// Neighbours asked for.
        k: usize,
        /// Rows of the database.
        rows: usize,
    },
    /// The search refused.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl Expansion {
    /// Query expansion: each of `queries` `[q, dim]` becomes (query + sum over its `k` nearest rows of `database` `[n, dim]` of
    /// similarity^alpha * row), divided by its norm. Gives `[q, dim]`.
    ///
    /// Similarities are inner products in 32 bits, sums are taken in 64 bits with the nearest row first; equal similarities take
    /// the lower row. The result is the same for any number of threads. A sum that is exactly zero stays zero (dirtorch gives NaN).
    /// Memory beyond the result grows with k.
    ///
    /// # Errors
    /// When `k` is larger than the database, or the two have rows of different length.
    pub fn expand(self, queries: Rows<'_>, database: Rows<'_>) -> Result<Vec<f32>, ExpansionError> {
        self.run(queries, &[database], None)
    }

    /// [`Expansion::expand`] by the rows of several sets, one behind the other (a database and its distractors).
    ///
    /// # Errors
    /// As [`Expansion::expand`].
    pub fn expand_among(self, queries: Rows<'_>, sets: &[Rows<'_>]) -> Result<Vec<f32>, ExpansionError> {
        self.run(queries, sets, None)
    }

    /// Database augmentation: as [`Expansion::expand`] of the database by itself, where the similarity of a row with itself counts
    /// as 0. So a row meets itself only where fewer than `k` others have a positive similarity, with weight 0^alpha (0^0 = 1).
    ///
    /// # Errors
    /// When `k` is larger than the database.
    pub fn augment(self, database: Rows<'_>) -> Result<Vec<f32>, ExpansionError> {
        let all: Vec<usize> = (0..database.count()).collect();
        self.run(database, &[database], Some(&all))
    }

    /// [`Expansion::augment`] of some rows alone: `rows` `[r, dim]` are those of several sets, one behind the other, at the indices
    /// `own` `[r]`.
    ///
    /// # Errors
    /// When `k` is larger than all sets, rows differ in length, or there is not one index for each row.
    pub fn augment_some(
        self,
        rows: Rows<'_>,
        own: &[usize],
        sets: &[Rows<'_>],
    ) -> Result<Vec<f32>, ExpansionError> {
        self.run(rows, sets, Some(own))
    }

    /// `own`: the row of the sets that each query is, where it is one.
    fn run(
        self,
        queries: Rows<'_>,
        sets: &[Rows<'_>],
        own: Option<&[usize]>,
    ) -> Result<Vec<f32>, ExpansionError> {
        let (dim, count) = (queries.dim, queries.count());
        let rows = sets.iter().map(Rows::count).sum();
        if self.k > rows {
            return Err(ExpansionError::TooManyNeighbours { k: self.k, rows });
        }
        let mut expanded = vec![0.0; count * dim];
        for first in (0..count).step_by(ROWS_AT_ONCE) {
            let some = queries.slice(first..first + ROWS_AT_ONCE);
            let own: Option<&[usize]> = own.map(|own| &own[first.min(own.len())..]);
            let own = own.map(|own| &own[..some.count().min(own.len())]);
            let excluded: Option<Vec<_>> = own.map(|own| own.iter().copied().map(Some).collect());
            let near = match sets {
                [] => vec![Vec::new(); some.count()],
                [first, more @ ..] => top_k_among(some, *first, more, self.k, excluded.as_deref())?,
            };
            expanded[first * dim..]
                .par_chunks_mut(dim)
                .zip(near)
                .enumerate()
                .for_each(|(index, (out, mut near))| {
                    if let Some(row) = own.and_then(|own| own.get(index)) {
                        self.meet_oneself(*row, &mut near);
                    }
                    self.expand_one(some, index, sets, &near, out);
                });
        }
        Ok(expanded)
    }

    /// Puts a row with similarity 0 into the list of its neighbours, if that is among the k best.
    fn meet_oneself(self, row: usize, near: &mut Vec<Hit>) {
        let place = near.partition_point(|hit| hit.score > 0.0 || (hit.score == 0.0 && hit.index < row));
        if place < self.k {
            near.insert(
                place,
                Hit {
                    index: row,
                    score: 0.0,
                },
            );
            near.truncate(self.k);
        }
    }

    fn expand_one(self, queries: Rows<'_>, query: usize, sets: &[Rows<'_>], near: &[Hit], out: &mut [f32]) {
        let dim = out.len();
        read(queries, query, out);
        if self.k == 0 {
            return;
        }
        let mut sum: Vec<f64> = out.iter().map(|x| f64::from(*x)).collect();
        let mut row = vec![0.0; dim];
        for hit in near {
            let weight = whole_power(f64::from(hit.score), self.alpha);
            let mut index = hit.index;
            for set in sets {
                if index < set.count() {
                    read(*set, index, &mut row);
                    break;
                }
                index -= set.count();
            }
            sum.iter_mut()
                .zip(&row)
                .for_each(|(sum, x)| *sum += weight * f64::from(*x));
        }
        let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        let norm = if norm == 0.0 { 1.0 } else { norm };
        for (out, sum) in out.iter_mut().zip(&sum) {
            *out = (sum / norm) as f32;
        }
    }
}

/// x^exponent by repeated squaring, since `powi` rounds otherwise on other machines; 0^0 is 1.
fn whole_power(mut x: f64, mut exponent: u32) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power *= x;
        }
        x *= x;
        exponent >>= 1;
    }
    power
}

/// Writes a row that exists into `out` of its length.
fn read(rows: Rows<'_>, index: usize, out: &mut [f32]) {
    match rows.slice(index..index + 1).data {
        RowData::F32(values) => out.copy_from_slice(values),
        RowData::F16(values) => values.convert_to_f32_slice(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit_rows(count: usize, dim: usize, seed: u64) -> Vec<f32> {
        sightline_checkpoint::formula::unit_rows("alpha-qe", count, dim, seed)
    }

    /// The definition, with a sort of all rows.
    fn by_definition(queries: &[f32], database: &[f32], dim: usize, how: Expansion, own: bool) -> Vec<f64> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let mut out = Vec::new();
        for (i, query) in queries.chunks(dim).enumerate() {
            let mut near: Vec<(f64, &[f32])> = database
                .chunks(dim)
                .enumerate()
                .map(|(j, row)| (if own && i == j { 0.0 } else { dot(query, row) }, row))
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut sum: Vec<f64> = query.iter().map(|x| f64::from(*x)).collect();
            for (similarity, row) in &near[..how.k] {
                let weight = similarity.powi(how.alpha as i32);
                sum.iter_mut()
                    .zip(*row)
                    .for_each(|(sum, x)| *sum += weight * f64::from(*x));
            }
            let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
            out.extend(sum.iter().map(|x| x / norm));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn follows_the_definition(
            rows in 1_usize..40,
            queries in 1_usize..6,
            dim in 2_usize..9,
            alpha in 0_u32..5,
            share in 0.0_f64..=1.0,
            seed in 0_u64..1000,
        ) {
            let how = Expansion { k: ((rows as f64 * share) as usize).max(1), alpha };
            let (q, db) = (unit_rows(queries, dim, seed), unit_rows(rows, dim, seed + 1));
            let near = |got: &[f32], want: &[f64]| {
                got.iter().zip(want).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-4)
            };
            let got = how.expand(Rows::f32(&q, dim), Rows::f32(&db, dim)).unwrap();
            prop_assert!(near(&got, &by_definition(&q, &db, dim, how, false)));
            let got = how.augment(Rows::f32(&db, dim)).unwrap();
            prop_assert!(near(&got, &by_definition(&db, &db, dim, how, true)));
        }

        #[test]
        fn no_neighbours_change_nothing(values in proptest::collection::vec(-9.0_f32..9.0, 6), alpha in 0_u32..4) {
            let rows = Rows::f32(&values, 3);
            let how = Expansion { k: 0, alpha };
            prop_assert_eq!(&how.expand(rows, rows).unwrap(), &values);
            prop_assert_eq!(&how.augment(rows).unwrap(), &values);
        }
    }

    #[test]
    fn powers_of_any_size_are_quick() {
        let score = f64::from(0.7_f32);
        assert_eq!(
            [0, 1, 2].map(|alpha| whole_power(score, alpha)),
            [1.0, score, score * score]
        );
        assert_eq!(whole_power(score, 3), score * score * score);
        assert_eq!((whole_power(0.0, 0), whole_power(0.0, 5)), (1.0, 0.0));
        assert_eq!(
            (whole_power(-1.0, u32::MAX), whole_power(-2.0, 10)),
            (-1.0, 1024.0)
        );
        assert_eq!(whole_power(0.5, u32::MAX), 0.0);
    }

    #[test]
    fn more_neighbours_than_rows_is_an_error() {
        let rows = unit_rows(3, 4, 1);
        let how = Expansion { k: 4, alpha: 1 };
        let error = how.augment(Rows::f32(&rows, 4)).unwrap_err().to_string();
        assert_eq!(
            error,
            "4 neighbours were asked for, and the database has 3 descriptors. Ask for at most 3."
        );
        assert!(how.expand(Rows::f32(&rows, 2), Rows::f32(&rows, 4)).is_err());
    }

    #[test]
    fn several_sets_are_one_database() {
        let (queries, db) = (unit_rows(4, 6, 1), unit_rows(30, 6, 2));
        let how = Expansion { k: 7, alpha: 2 };
        let whole = how.expand(Rows::f32(&queries, 6), Rows::f32(&db, 6)).unwrap();
        let sets = [&db[..60], &db[60..66], &db[66..]].map(|part| Rows::f32(part, 6));
        assert_eq!(how.expand_among(Rows::f32(&queries, 6), &sets).unwrap(), whole);
    }

    #[test]
    fn some_rows_are_augmented_as_all_are() {
        let db = unit_rows(30, 6, 2);
        let how = Expansion { k: 7, alpha: 2 };
        let whole = how.augment(Rows::f32(&db, 6)).unwrap();
        let sets = [&db[..60], &db[60..]].map(|part| Rows::f32(part, 6));
        let own = [12, 3, 29];
        let gather = |from: &[f32]| -> Vec<f32> {
            own.iter()
                .flat_map(|row| from[row * 6..row * 6 + 6].to_vec())
                .collect()
        };
        let rows = gather(&db);
        let some = how.augment_some(Rows::f32(&rows, 6), &own, &sets).unwrap();
        assert_eq!(some, gather(&whole));
        assert!(how.augment_some(Rows::f32(&rows, 6), &own[..2], &sets).is_err());
    }

    #[test]
    fn a_sum_of_nothing_stays_zero() {
        let rows = [1.0, 0.0, -1.0, 0.0];
        let how = Expansion { k: 1, alpha: 0 };
        assert_eq!(
            how.expand(Rows::f32(&[0.0, 0.0], 2), Rows::f32(&[0.0, 0.0], 2))
                .unwrap(),
            [0.0, 0.0]
        );
        // The best of the other row (-1) and oneself (0) is oneself, counted twice.
        assert_eq!(how.augment(Rows::f32(&rows, 2)).unwrap(), rows);
    }

    #[test]
    fn threads_change_nothing_and_halves_are_their_values() {
        let rows = unit_rows(5000, 8, 3);
        let how = Expansion { k: 10, alpha: 3 };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| how.augment(Rows::f32(&rows, 8)).unwrap())
        };
        let whole = run(1);
        assert_eq!(whole, run(3));
        let halves: Vec<half::f16> = rows.iter().map(|x| half::f16::from_f32(*x)).collect();
        let widened: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
        assert_eq!(
            how.augment(Rows::f16(&halves, 8)).unwrap(),
            how.augment(Rows::f32(&widened, 8)).unwrap()
        );
    }
}
