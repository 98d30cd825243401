//! k-reciprocal encoding against its definition on dense matrices.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sightline_checkpoint::formula::{uniform, unit_rows};
use sightline_rerank::{Gallery, KReciprocal, Rankings, ReciprocalForm, Reranker};
use sightline_search::{Hit, KnnGraph, Rows, knn_graph};

/// The definition, step by step, with all N^2 numbers. Gives nothing where a decision hangs on less than rounding.
fn by_definition(how: &KReciprocal, rows: &[f32], dim: usize, queries: usize) -> Option<Vec<f64>> {
    let rows: Vec<&[f32]> = rows.chunks_exact(dim).collect();
    let count = rows.len();
    let squared = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    let mut distances: Vec<Vec<f64>> = rows
        .iter()
        .map(|a| rows.iter().map(|b| squared(a, b)).collect())
        .collect();
    for row in &mut distances {
        let most = row.iter().copied().fold(0.0, f64::max);
        row.iter_mut()
            .for_each(|distance| *distance = if most > 0.0 { *distance / most } else { 0.0 });
    }
    let order: Vec<Vec<usize>> = distances
        .iter()
        .map(|row| {
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|a, b| row[*a].total_cmp(&row[*b]).then(a.cmp(b)));
            order
        })
        .collect();
    let near_tie = |row: usize| {
        let pairs = order[row].windows(2);
        pairs
            .map(|pair| distances[row][pair[1]] - distances[row][pair[0]])
            .any(|gap| gap < 1e-12 && gap > 0.0)
    };
    if (0..count).any(near_tie) {
        return None;
    }
    let first = |row: usize, length: usize| &order[row][..length.min(count)];
    let reciprocal = |row: usize, length: usize| -> Vec<usize> {
        let all = first(row, length).iter().copied();
        all.filter(|other| first(*other, length).contains(&row)).collect()
    };
    let half = how.k1 as f64 / 2.0;
    let half = match how.form {
        ReciprocalForm::Python => half.round_ties_even() as usize + 1,
        ReciprocalForm::Matlab => ((how.k1 as f64 + 1.0) / 2.0).round() as usize,
    };
    let mut values = vec![vec![0.0; count]; count];
    for (row, values) in values.iter_mut().enumerate() {
        let own = reciprocal(row, how.k1 + 1);
        let mut all = own.clone();
        for candidate in &own {
            let theirs = reciprocal(*candidate, half);
            let shared = theirs.iter().filter(|index| own.contains(index)).count();
            if shared as f64 > 2.0 / 3.0 * theirs.len() as f64 {
                all.extend(theirs);
            }
        }
        for index in all {
            values[index] = (-distances[row][index]).exp();
        }
        let sum: f64 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
    }
    if how.k2 != 1 {
        let mean = |row: usize| -> Vec<f64> {
            let near = first(row, how.k2);
            let of = |column: usize| near.iter().map(|near| values[*near][column]).sum::<f64>();
            (0..count).map(|column| of(column) / near.len() as f64).collect()
        };
        values = (0..count).map(mean).collect();
    }
    let distance = |query: usize, image: usize| {
        let pairs = values[query].iter().zip(&values[image]);
        let shared: f64 = pairs.map(|(a, b)| a.min(*b)).sum();
        (1.0 - shared / (2.0 - shared)) * (1.0 - how.lambda) + distances[query][image] * how.lambda
    };
    let pairs = (0..queries).flat_map(|query| (queries..count).map(move |image| (query, image)));
    Some(pairs.map(|(query, image)| distance(query, image)).collect())
}

/// The final distances, the gallery in two pieces.
fn distances(how: &KReciprocal, rows: &[f32], dim: usize, queries: usize) -> Vec<f32> {
    let (queries, images) = rows.split_at(queries * dim);
    let (first, second) = images.split_at(images.len() / dim / 3 * dim);
    let gallery = Gallery::new(Rows::f32(first, dim), &[Rows::f32(second, dim)]).unwrap();
    how.distances(Rows::f32(queries, dim), &gallery).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_follows_the_definition(
        images in 1_usize..60,
        queries in 1_usize..5,
        dim in 2_usize..9,
        k1 in 1_usize..25,
        k2 in 1_usize..8,
        lambda in 0.0_f64..=1.0,
        matlab in any::<bool>(),
        unit in any::<bool>(),
        seed in 0_u64..1000,
    ) {
        let form = if matlab { ReciprocalForm::Matlab } else { ReciprocalForm::Python };
        let how = KReciprocal { k1, k2, lambda, form, top: None };
        let count = images + queries;
        let rows = match unit {
            true => unit_rows("k-reciprocal", count, dim, seed),
            false => uniform("k-reciprocal", seed, count * dim).iter().map(|x| 3.0 * *x as f32).collect(),
        };
        if let Some(want) = by_definition(&how, &rows, dim, queries) {
            let got = distances(&how, &rows, dim, queries);
            prop_assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() < 1e-6, "{} {}", got, want);
            }
        }
    }
}

fn rerank(
    mut how: KReciprocal,
    queries: &[f32],
    images: &[f32],
    length: usize,
    excluded: Vec<Vec<u32>>,
) -> Vec<Vec<Hit>> {
    let (queries, images) = (Rows::f32(queries, 8), Rows::f32(images, 8));
    let mut rankings = Rankings::search(queries, images, Vec::new(), length, excluded).unwrap();
    how.rerank(&mut rankings, &|_, _, _| ()).unwrap();
    assert!(!rankings.searched);
    rankings.lists
}

#[test]
fn all_first_answers_of_one_query_are_the_whole_collection() {
    let (query, images) = (unit_rows("query", 1, 8, 4), unit_rows("images", 70, 8, 5));
    let whole = KReciprocal::default();
    let bounded = |top, excluded| {
        let how = KReciprocal {
            top: Some(top),
            ..whole
        };
        rerank(how, &query, &images, 70, excluded)
    };
    // As many as there are are the whole collection.
    let ranked = rerank(whole, &query, &images, 70, Vec::new());
    assert_eq!(bounded(70, Vec::new()), ranked);
    let close = |got: &[Hit], want: &[Hit]| {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert_eq!(got.index, want.index);
            assert!((got.score - want.score).abs() < 1e-6);
        }
    };
    // An image that is no answer is no neighbour either where only answers are encoded: as if it were not there.
    let without = [&images[..24], &images[32..]].concat();
    let mut want = rerank(whole, &query, &without, 70, Vec::new());
    want[0]
        .iter_mut()
        .for_each(|hit| hit.index += usize::from(hit.index >= 3));
    close(&bounded(69, vec![vec![3]])[0], &want[0]);
    // The rest stays as it came in.
    let searched = rerank(
        KReciprocal {
            top: Some(1),
            ..whole
        },
        &query,
        &images,
        70,
        Vec::new(),
    );
    assert_eq!(bounded(20, Vec::new())[0][20..], searched[0][20..]);
}

#[test]
fn a_whole_ranking_is_cut_and_its_best_come_first() {
    let (queries, images) = (unit_rows("query", 3, 8, 4), unit_rows("images", 70, 8, 5));
    let ranked = |length| {
        let excluded = vec![vec![3], Vec::new(), vec![60, 61]];
        rerank(KReciprocal::default(), &queries, &images, length, excluded)
    };
    let (long, short) = (ranked(70), ranked(9));
    assert_eq!([0, 1, 2].map(|query| long[query].len()), [69, 70, 68]);
    for (long, short) in long.iter().zip(&short) {
        assert_eq!(long[..9], short[..]);
        assert!(long.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}

#[test]
fn threads_change_nothing() {
    let rows = unit_rows("threads", 900, 12, 6);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| distances(&KReciprocal::default(), &rows, 12, 20))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_stored_graph_of_the_images_serves() {
    let (queries, images) = (unit_rows("query", 3, 8, 4), unit_rows("images", 90, 8, 5));
    let (queries, images) = (Rows::f32(&queries, 8), Rows::f32(&images, 8));
    let ranked = |graph: Option<&KnnGraph>| {
        let mut rankings = Rankings::search(queries, images, Vec::new(), 90, Vec::new()).unwrap();
        rankings.neighbours = graph;
        let mut how = KReciprocal::default();
        how.rerank(&mut rankings, &|_, _, _| ()).unwrap();
        rankings.lists
    };
    let without = ranked(None);
    // 20 are too few, so they are passed over.
    for k in [20, 21, 40] {
        assert_eq!(ranked(Some(&knn_graph(&[images], k).unwrap())), without);
    }
}

#[test]
fn equal_rows_are_no_trouble() {
    let rows = [0.6, 0.8].repeat(9);
    let found = distances(&KReciprocal::default(), &rows, 2, 2);
    assert!(
        found
            .iter()
            .all(|distance| *distance == found[0] && distance.is_finite())
    );
}
