//! A stored graph saves time and changes no answer.
#![allow(clippy::unwrap_used)]

use half::f16;
use sightline_rerank::diffusion::Form;
use sightline_rerank::{Diffusion, KReciprocal, Rankings, Reranker};
use sightline_search::{Hit, Rows, knn_graph};

const DIM: usize = 8;

/// Rows of length 1 around a few centres.
fn rows(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut rows = Vec::new();
    for row in 0..count {
        let mut values: Vec<f32> = (0..DIM).map(|_| next()).collect();
        values[row % DIM] += 2.0;
        let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        rows.extend(values.iter().map(|value| value / norm));
    }
    rows
}

#[test]
fn a_stored_graph_changes_no_answer() {
    let (queries, database, more) = (rows(9, 1), rows(120, 2), rows(50, 3));
    let more: Vec<f16> = more.into_iter().map(f16::from_f32).collect();
    let (queries, database, more) = (
        Rows::f32(&queries, DIM),
        Rows::f32(&database, DIM),
        Rows::f16(&more, DIM),
    );
    let excluded: Vec<Vec<u32>> = (0..9).map(|query| vec![query, query + 40]).collect();
    let run = |stage: &mut dyn Reranker, graph: Option<usize>| -> Vec<Vec<Hit>> {
        let graph = graph.map(|k| knn_graph(&[database, more], k).unwrap());
        let mut rankings = Rankings::search(queries, database, vec![more], 168, excluded.clone()).unwrap();
        rankings.neighbours = graph.as_ref();
        stage.rerank(&mut rankings, &|_, _, _| {}).unwrap();
        rankings.lists
    };
    let diffusion = |form| Diffusion {
        n_trunc: 60,
        kd: 12,
        form,
        ..Diffusion::default()
    };
    let stages: [Box<dyn Reranker>; 4] = [
        Box::new(KReciprocal::default()),
        Box::new(diffusion(Form::Offline)),
        Box::new(diffusion(Form::Paper)),
        Box::new(diffusion(Form::Online)),
    ];
    for mut stage in stages {
        let want = run(stage.as_mut(), None);
        // Too short to be used, long enough for some of it, longer than any of it.
        for k in [5, 30, 170] {
            assert_eq!(run(stage.as_mut(), Some(k)), want, "{} {k}", stage.settings());
        }
    }
}
