//! Search against sorting everything, with ties, NaN and exclusions, for several numbers of threads.
#![allow(clippy::unwrap_used)]

use half::f16;
use proptest::prelude::*;
use sightline_search::{
    Hit, Kernel, Rows, SearchError, rank_all, ranks, ranks_among, top_k, top_k_among, top_k_with,
};

/// Small whole numbers, so that sums are exact and ties are many; now and then NaN.
fn values(count: usize, seed: u64, nan: bool) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if nan && state >> 56 == 7 {
                f32::NAN
            } else {
                (state >> 61) as f32 - 3.0
            }
        })
        .collect()
}

fn naive(queries: &[f32], database: &[f32], dim: usize) -> Vec<Vec<Hit>> {
    queries
        .chunks(dim)
        .map(|query| {
            let mut hits: Vec<Hit> = database
                .chunks(dim)
                .enumerate()
                .map(|(index, row)| Hit {
                    index,
                    score: query.iter().zip(row).map(|(a, b)| a * b).sum(),
                })
                .collect();
            hits.sort_by(|a, b| {
                let nan_last = a.score.is_nan().cmp(&b.score.is_nan());
                nan_last.then(b.score.partial_cmp(&a.score).unwrap_or(std::cmp::Ordering::Equal))
            });
            hits
        })
        .collect()
}

fn same(got: &[Vec<Hit>], want: &[Vec<Hit>]) -> bool {
    got.len() == want.len()
        && got.iter().zip(want).all(|(got, want)| {
            got.len() == want.len()
                && got.iter().zip(want).all(|(a, b)| {
                    a.index == b.index && (a.score == b.score || (a.score.is_nan() && b.score.is_nan()))
                })
        })
}

fn within<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn search_is_sorting(
        dim in 1..40_usize, queries in 1..12_usize, rows in 0..900_usize, k in 0..1000_usize,
        seed in any::<u64>(), nan in any::<bool>(), threads in 1..4_usize,
    ) {
        let query_values = values(queries * dim, seed, nan);
        let row_values = values(rows * dim, !seed, nan);
        let (q, d) = (Rows::f32(&query_values, dim), Rows::f32(&row_values, dim));
        let all = naive(&query_values, &row_values, dim);
        let cut = |hits: &[Hit]| hits.iter().copied().take(k).collect::<Vec<_>>();
        let want: Vec<Vec<Hit>> = all.iter().map(|hits| cut(hits)).collect();
        prop_assert!(same(&within(threads, || top_k(q, d, k, None)).unwrap(), &want));
        for kernel in Kernel::available() {
            prop_assert!(same(&top_k_with(kernel, q, d, k, None).unwrap(), &want));
        }

        let halves: Vec<f16> = row_values.iter().map(|v| f16::from_f32(*v)).collect();
        let half_queries: Vec<f16> = query_values.iter().map(|v| f16::from_f32(*v)).collect();
        prop_assert!(same(&top_k(q, Rows::f16(&halves, dim), k, None).unwrap(), &want));
        prop_assert!(same(&top_k(Rows::f16(&half_queries, dim), d, k, None).unwrap(), &want));

        let exclude: Vec<Option<usize>> = (0..queries).map(|q| (q % 3 > 0).then_some(q * 7)).collect();
        let without: Vec<Vec<Hit>> = all
            .iter()
            .zip(&exclude)
            .map(|(hits, own)| cut(&hits.iter().copied().filter(|h| Some(h.index) != *own).collect::<Vec<_>>()))
            .collect();
        prop_assert!(same(&top_k(q, d, k, Some(&exclude)).unwrap(), &without));

        let order: Vec<Vec<u32>> = all.iter().map(|hits| hits.iter().map(|h| h.index as u32).collect()).collect();
        prop_assert_eq!(&rank_all(q, d).unwrap(), &order);

        let wanted: Vec<Vec<u32>> =
            order.iter().map(|list| list.iter().copied().filter(|row| row % 5 < 2).collect()).collect();
        let counted = within(threads, || ranks(q, d, &wanted)).unwrap();
        for ((wanted, counted), all) in wanted.iter().zip(&counted).zip(&all) {
            for (row, rank) in wanted.iter().zip(counted) {
                let place = all.iter().position(|hit| hit.index == *row as usize).unwrap();
                prop_assert_eq!(rank.position(), place);
                let score = all[place].score;
                let equal = |h: &&Hit| h.score == score || (h.score.is_nan() && score.is_nan());
                prop_assert_eq!(rank.equal, all.iter().filter(equal).count());
                prop_assert_eq!(rank.above, all.iter().position(|h| equal(&h)).unwrap());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_database_in_pieces_answers_as_one(
        dim in 1..20_usize, queries in 1..8_usize, rows in 0..500_usize, k in 0..600_usize,
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        seed in any::<u64>(), nan in any::<bool>(),
    ) {
        let query_values = values(queries * dim, seed, nan);
        let row_values = values(rows * dim, !seed, nan);
        let (q, whole) = (Rows::f32(&query_values, dim), Rows::f32(&row_values, dim));
        let (a, b) = (cuts.0.index(rows + 1), cuts.1.index(rows + 1));
        let (first, second) = (a.min(b), a.max(b));
        let halves: Vec<f16> = row_values[first * dim..second * dim].iter().map(|v| f16::from_f32(*v)).collect();
        let database = Rows::f32(&row_values[..first * dim], dim);
        let behind = [Rows::f16(&halves, dim), Rows::f32(&row_values[second * dim..], dim)];

        let exclude: Vec<Option<usize>> = (0..queries).map(|q| (q % 3 > 0).then_some(q * 61)).collect();
        for exclude in [None, Some(&exclude[..])] {
            let got = top_k_among(q, database, &behind, k, exclude).unwrap();
            prop_assert!(same(&got, &top_k(q, whole, k, exclude).unwrap()));
        }
        let wanted: Vec<Vec<u32>> = (0..queries).map(|q| (0..first as u32).rev().step_by(q + 1).collect()).collect();
        let got = ranks_among(q, database, &behind, &wanted).unwrap();
        prop_assert_eq!(got, ranks(q, whole, &wanted).unwrap());
    }
}

#[test]
fn thread_count_and_kernel_change_no_bit() {
    let noise = |count: usize, seed: u64| -> Vec<f32> {
        values(count * 8, seed, false)
            .chunks(8)
            .map(|c| c.iter().fold(0.0, |sum, v| sum * 0.37 + v))
            .collect()
    };
    let (queries, database) = (noise(300 * 100, 1), noise(2500 * 100, 2));
    let search = |kernel| {
        top_k_with(
            kernel,
            Rows::f32(&queries, 100),
            Rows::f32(&database, 100),
            20,
            None,
        )
        .unwrap()
    };
    let want = within(1, || search(Kernel::best()));
    for threads in [2, 3, 7] {
        assert_eq!(within(threads, || search(Kernel::best())), want);
    }
    for kernel in Kernel::available() {
        assert_eq!(search(kernel), want, "{}", kernel.name());
    }
}

#[test]
fn wrong_inputs_are_named() {
    let row = [1.0_f32; 6];
    let bad = top_k(Rows::f32(&row, 4), Rows::f32(&row, 3), 1, None).unwrap_err();
    assert!(bad.to_string().contains("queries hold 6 values"), "{bad}");
    let bad = top_k(Rows::f32(&row, 2), Rows::f32(&row, 3), 1, None).unwrap_err();
    assert_eq!(
        bad,
        SearchError::Dimensions {
            queries: 2,
            database: 3
        }
    );
    assert!(matches!(
        top_k(Rows::f32(&row, 0), Rows::f32(&row, 0), 1, None),
        Err(SearchError::Shape { .. })
    ));
    assert!(matches!(
        top_k(Rows::f32(&row, 3), Rows::f32(&row, 3), 1, Some(&[])),
        Err(SearchError::Lists { .. })
    ));
    let other = [Rows::f32(&row, 3), Rows::f32(&row, 2)];
    assert_eq!(
        top_k_among(Rows::f32(&row, 3), Rows::f32(&row, 3), &other, 1, None).unwrap_err(),
        SearchError::Dimensions {
            queries: 3,
            database: 2
        }
    );
    let bad = ranks(Rows::f32(&row, 3), Rows::f32(&row, 3), &[vec![1], vec![2]]).unwrap_err();
    assert_eq!(bad, SearchError::NoSuchRow { row: 2, rows: 2 });
    assert_eq!(
        top_k(Rows::f32(&[], 3), Rows::f32(&row, 3), 1, None).unwrap(),
        Vec::<Vec<Hit>>::new()
    );
    assert_eq!(
        top_k(Rows::f32(&row, 3), Rows::f32(&[], 3), 5, None).unwrap(),
        vec![Vec::new(); 2]
    );
}
