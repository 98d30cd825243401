//! The graph against a search of the rows among themselves.

use super::*;
use crate::{RowData, top_k};
use half::f16;
use proptest::prelude::*;

/// Small whole numbers, so that ties are many; now and then NaN or a row of it.
fn values(count: usize, dim: usize, seed: u64, nan: bool) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state
    };
    let mut values: Vec<f32> = (0..count * dim).map(|_| (next() >> 61) as f32 - 3.0).collect();
    if nan && count > 0 {
        for _ in 0..3 {
            let at = (next() >> 33) as usize % values.len();
            values[at] = f32::NAN;
        }
    }
    values
}

fn within<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

/// All rows searched, sorted, and their least scores.
fn plain(rows: Rows<'_>, k: usize) -> KnnGraph {
    let count = rows.count();
    let all = top_k(rows, rows, count, None).unwrap();
    let k = k.max(1).min(count);
    let kept = all.iter().flat_map(|list| &list[..k]);
    KnnGraph {
        k,
        indices: kept.clone().map(|hit| hit.index as u32).collect(),
        similarities: kept.map(|hit| hit.score).collect(),
        lowest: all
            .iter()
            .map(|list| list.iter().map(|hit| hit.score).fold(f32::NAN, f32::min))
            .collect(),
    }
}

/// NaN equals NaN, and zeros differ.
fn bits(graph: &KnnGraph) -> (usize, &[u32], Vec<u32>, Vec<u32>) {
    let of = |values: &[f32]| {
        let bit = |value: &f32| if value.is_nan() { u32::MAX } else { value.to_bits() };
        values.iter().map(bit).collect()
    };
    (
        graph.k,
        &graph.indices,
        of(&graph.similarities),
        of(&graph.lowest),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_graph_is_a_search_of_all_rows_among_themselves(
        dim in 1..20_usize, rows in 0..1700_usize, k in 0..90_usize, seed in any::<u64>(), nan in any::<bool>(),
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        threads in 1..4_usize, left_after in 0..4_usize,
    ) {
        let all = values(rows, dim, seed, nan);
        let want = plain(Rows::f32(&all, dim), k);
        let (a, b) = (cuts.0.index(rows + 1), cuts.1.index(rows + 1));
        let (a, b) = (a.min(b), a.max(b));
        let halves: Vec<f16> = all[a * dim..b * dim].iter().map(|v| f16::from_f32(*v)).collect();
        let sets = [
            Rows::f32(&all[..a * dim], dim),
            Rows { dim, data: RowData::F16(&halves) },
            Rows::f32(&all[b * dim..], dim),
        ];
        for sets in [&[Rows::f32(&all, dim)][..], &sets] {
            let got = within(threads, || knn_graph(sets, k)).unwrap();
            prop_assert_eq!(bits(&got), bits(&want));
        }

        // Left and gone on with, by other threads.
        let mut builder = GraphBuilder::new(&sets, k).unwrap();
        (0..left_after).for_each(|_| { builder.step(); });
        let state = builder.state();
        prop_assert_eq!(state.rows, builder.rows());
        let mut builder = within(threads, || GraphBuilder::resume(&sets, state)).unwrap();
        let mut share = 0.0;
        while builder.step() {
            prop_assert!(builder.share() > share);
            share = builder.share();
        }
        prop_assert_eq!((builder.share(), builder.rows()), (1.0, rows));
        let got = builder.into_graph();
        prop_assert_eq!(bits(&got), bits(&want));

        // The last two sets are known, the first is new.
        if b - a > 0 || rows > b {
            let stored = knn_graph(&sets[1..], k).unwrap();
            let want = plain(Rows::f32(&all, dim), stored.k);
            let got = within(threads, || stored.with_front(sets[0], &sets[1..])).unwrap();
            prop_assert_eq!(bits(&got), bits(&want));
        }
    }
}

#[test]
fn wide_rows_and_scores_that_are_not_whole_numbers() {
    let (rows, dim) = (1100, 130);
    let noise: Vec<f32> = values(rows * 8, dim, 5, false)
        .chunks(8)
        .map(|c| c.iter().fold(0.0, |sum, v| sum * 0.37 + v))
        .collect();
    let set = Rows::f32(&noise, dim);
    let want = plain(set, 100);
    for threads in [1, 2, 5] {
        assert_eq!(within(threads, || knn_graph(&[set], 100)).unwrap(), want);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let values = values(20, 3, 1, false);
    let sets = [Rows::f32(&values, 3)];
    let graph = knn_graph(&sets, 4).unwrap();
    let refused = |rows: usize, change: &dyn Fn(&mut KnnGraph)| {
        let mut graph = graph.clone();
        change(&mut graph);
        GraphBuilder::resume(&sets, GraphState { rows, graph }).err()
    };
    assert_eq!(refused(20, &|_| ()), None);
    for (rows, change) in [
        (21, (&|_: &mut KnnGraph| ()) as &dyn Fn(&mut KnnGraph)),
        (20, &|graph| graph.indices[7] = 20),
        (20, &|graph| graph.indices[7] = u32::MAX),
        (20, &|graph| graph.k = 3),
        (20, &|graph| graph.k = usize::MAX),
        (20, &|graph| graph.lowest.truncate(19)),
        (20, &|graph| graph.similarities.truncate(19)),
    ] {
        assert!(matches!(refused(rows, change), Some(SearchError::Graph(_))));
    }
    let other = Rows::f32(&values[..30], 3);
    assert!(matches!(
        graph.with_front(sets[0], &[other]),
        Err(SearchError::Graph(_))
    ));
    let narrow = Rows::f32(&values, 2);
    assert!(matches!(
        knn_graph(&[sets[0], narrow], 2),
        Err(SearchError::Dimensions { .. })
    ));
    assert_eq!(knn_graph(&[], 5).unwrap().count(), 0);
}
