//! SuperGlobal's re-ranking against its definition.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sightline_checkpoint::formula::{uniform, unit_rows};
use sightline_rerank::{Rankings, Reranker, SuperGlobal};
use sightline_search::{Hit, Rows};

/// The final scores by place, and whether no two decisions lie near each other.
fn by_definition(how: &SuperGlobal, query: &[f32], rows: &[f32]) -> Option<Vec<f64>> {
    let dim = query.len();
    let rows: Vec<&[f32]> = rows.chunks_exact(dim).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let wide = |row: &[f32]| row.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| wide(row)).collect();
    let sorted = |scores: &[f64]| {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let near = order
            .windows(2)
            .any(|pair| scores[pair[0]] - scores[pair[1]] < 1e-5);
        (!near).then_some(order)
    };
    let mut refined = Vec::new();
    for row in &rows {
        let near: Vec<f64> = rows.iter().map(|other| dot(row, other)).collect();
        let order = sorted(&near)?;
        let (mut sum, mut weights) = (vec![0.0; dim], 0.0);
        for (place, index) in order.iter().take(how.k + 1).enumerate() {
            let weight = if place == 0 { 1.0 } else { how.beta * near[*index] };
            weights += weight;
            sum.iter_mut()
                .zip(&rows[*index])
                .for_each(|(sum, x)| *sum += weight * x);
        }
        // Near zero the division makes any rounding large.
        if weights.abs() < 0.1 {
            return None;
        }
        refined.push(sum.iter().map(|x| x / weights).collect::<Vec<f64>>());
    }
    let query = wide(query);
    let augmented: Vec<f64> = refined.iter().map(|row| dot(&query, row)).collect();
    let best = sorted(&augmented)?;
    let most = |value: usize| {
        let best = best.iter().take(how.k + 1);
        best.map(|place| refined[*place][value])
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let expanded: Vec<f64> = (0..dim).map(most).collect();
    let scores = refined.iter().zip(&augmented);
    Some(scores.map(|(row, a)| (a + dot(&expanded, row)) / 2.0).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_follows_the_definition(
        images in 1_usize..30,
        dim in 2_usize..9,
        k in 1_usize..12,
        beta in 0.0_f64..1.0,
        unit in any::<bool>(),
        seed in 0_u64..1000,
    ) {
        let how = SuperGlobal { m: 30, k, beta };
        let query = unit_rows("query", 1, dim, seed);
        let rows = match unit {
            true => unit_rows("superglobal", images, dim, seed),
            false => uniform("superglobal", seed, images * dim).iter().map(|x| *x as f32).collect(),
        };
        if let Some(want) = by_definition(&how, &query, &rows) {
            let refined = how.refine(&query, &rows).unwrap();
            // Scores of rows that are not of unit length grow where weights cancel, and rounding with them.
            let near = 1e-5 * want.iter().fold(1.0, |most: f64, score| most.max(score.abs()));
            for (place, got) in refined.augmented_order.iter().zip(&refined.final_scores) {
                prop_assert!((f64::from(*got) - want[*place]).abs() < near, "{} {}", got, want[*place]);
            }
            prop_assert!(refined.order.windows(2).all(|pair| want[pair[0]] > want[pair[1]] - near));
        }
    }
}

fn reranked(m: usize) -> Vec<Vec<Hit>> {
    let (queries, images) = (unit_rows("queries", 3, 8, 1), unit_rows("images", 50, 8, 2));
    let (queries, images) = (Rows::f32(&queries, 8), Rows::f32(&images, 8));
    let mut rankings = Rankings::search(queries, images, Vec::new(), 50, Vec::new()).unwrap();
    let mut how = SuperGlobal {
        m,
        ..SuperGlobal::default()
    };
    let scored = how.rerank(&mut rankings, &|_, _, _| ()).unwrap();
    assert_eq!(scored, [m.min(50); 3]);
    rankings.lists
}

#[test]
fn only_the_first_answers_move() {
    // The best of one image is that image, so this is the search's order.
    let searched = reranked(1);
    let moved = reranked(20);
    for (moved, searched) in moved.iter().zip(&searched) {
        assert_eq!(moved[20..], searched[20..]);
        let sorted = |list: &[Hit]| {
            let mut images: Vec<usize> = list.iter().map(|hit| hit.index).collect();
            images.sort_unstable();
            images
        };
        assert_eq!(sorted(&moved[..20]), sorted(&searched[..20]));
        assert!(moved[..20].windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    // More answers than there are images are all of them, on any number of threads.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(reranked(400), pool.install(|| reranked(50)));
}
